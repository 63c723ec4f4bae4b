-- REFRESH: the right to load again what will soon be missing.
-- ARGV: token, lease, fence, and the life that a value must have left not to be loaded again (milliseconds).
-- Answers {'later', the milliseconds until then}, {'granted', the value that may be replaced}, or {'unneeded'} when there is no
-- value, or somebody is loading it already.
local value = redis.pcall('GET', KEYS[1])
if type(value) ~= 'string' then return { 'unneeded' } end

local left = redis.call('PTTL', KEYS[1])
if left < 0 then return { 'unneeded' } end
-- The longest life that Redis knows is no number that a script can answer with.
if left > tonumber(ARGV[4]) then return { 'later', math.min(left - tonumber(ARGV[4]), 1e12) } end
if claim() == ARGV[1] or others(ARGV[1], tonumber(ARGV[2])) then return { 'unneeded' } end

lease(ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
return { 'granted', value }
