-- CLAIM: the right to load a missing entry.
-- ARGV: token, lease, fence (milliseconds), and optionally a value that the caller could not read.
-- Answers the value that is there; or 'claimed'; or the milliseconds that another's claim has left.
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'string' and value ~= ARGV[4] then return { value } end

local token, left = claim()
if token and token ~= ARGV[1] then return left end

lease(ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
return 'claimed'
