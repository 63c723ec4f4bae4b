-- REFRESH: the right to load again what will soon be missing.
-- ARGV: token, lease, fence, and the life that a value must have left not to be loaded again (milliseconds).
-- Answers {'later', the milliseconds until then}, {'granted', the value that may be replaced}, or {'unneeded'} when there is no
-- value, or somebody is loading it already.
local value = redis.pcall('GET', KEYS[1])
if type(value) ~= 'string' then return { 'unneeded' } end

local left = redis.call('PTTL', KEYS[1])
if left < 0 then return { 'unneeded' } end
if left > tonumber(ARGV[4]) then return { 'later', left - tonumber(ARGV[4]) } end
if claim() then return { 'unneeded' } end

lease(ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
return { 'granted', value }
