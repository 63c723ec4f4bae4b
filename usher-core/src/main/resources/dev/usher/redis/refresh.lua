-- REFRESH: the right to load an entry again before it expires.
-- ARGV: token, lease, fence, and the remaining TTL below which a value is refreshed (milliseconds).
-- Returns {'later', the milliseconds until then}, {'granted', the value that may be replaced}, or {'unneeded'} when there is no
-- value, or another claimant is loading it.
local value = redis.pcall('GET', KEYS[1])
if type(value) ~= 'string' then return { 'unneeded' } end

local left = redis.call('PTTL', KEYS[1])
if left < 0 then return { 'unneeded' } end
-- Limited: a script cannot return a number as large as the longest TTL of Redis.
if left > tonumber(ARGV[4]) then return { 'later', math.min(left - tonumber(ARGV[4]), 1e12) } end
if claim(KEYS[2]) == ARGV[1] or others(KEYS[2], ARGV[1], tonumber(ARGV[2])) then return { 'unneeded' } end

lease(KEYS[2], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
return { 'granted', value }
