-- CLAIM: the right to load a missing entry.
-- ARGV: token, lease, fence (milliseconds), and optionally a value that the caller could not read.
-- Answers {'stored', the value that is there}, {'held', the milliseconds that another's claim has left} or
-- {'granted'}, with a second word when something else than a string stands there.
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'string' and value ~= ARGV[4] then return { 'stored', value } end

local token, left = claim()
if token and token ~= ARGV[1] then return { 'held', left } end

lease(ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
if type(value) == 'table' then return { 'granted', 'WRONGTYPE' } end
return { 'granted' }
