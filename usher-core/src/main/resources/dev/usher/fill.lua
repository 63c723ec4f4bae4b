-- FILL: stores what the claimant has loaded, only if nothing came between: the guard still holds its claim, and what stands
-- there is what it was granted to replace, or still nothing.
-- ARGV: token, value, ttl, fence (milliseconds), and optionally the value that may be replaced.
-- Answers 1, or 0 when it is refused.
if claim() ~= ARGV[1] then return 0 end
local value = redis.pcall('GET', KEYS[1])
local text = type(value) == 'string' and value or nil
if text ~= ARGV[5] then return 0 end

store(ARGV[2], ARGV[3], ARGV[4])
return 1
