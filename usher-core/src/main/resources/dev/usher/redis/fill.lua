-- FILL: stores the value that the claimant has loaded, unless the user has changed since: the guard must still hold the claim, and the
-- key must still hold the value that the claim may replace, or still no value.
-- ARGV: token, value, ttl, fence (milliseconds), and optionally the value that may be replaced.
-- Returns 1, or 0 when it is refused.
if claim() ~= ARGV[1] then return 0 end
local value = redis.pcall('GET', KEYS[1])
local text = type(value) == 'string' and value or nil
if text ~= ARGV[5] then return 0 end

store(ARGV[2], ARGV[3], ARGV[4])
return 1
