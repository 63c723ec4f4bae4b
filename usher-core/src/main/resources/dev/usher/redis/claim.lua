-- CLAIM: the right to load a missing entry.
-- ARGV: token, lease, fence (milliseconds), and optionally a value that the caller could not read.
-- Returns {'stored', the value}, {'held', the milliseconds that another claim has left, its token} or {'granted'}, with a second
-- word: 'WRONGTYPE' when the key does not hold a string, 'FREE' when there was neither a value nor a guard.
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'string' and value ~= ARGV[4] then return { 'stored', value } end

local token, left, awaited = others(ARGV[1], tonumber(ARGV[2]))
if token then
  if not awaited then
    local guard = redis.call('GET', KEYS[2])
    -- A full Redis refuses the write; the claimant then does not learn that its claim is awaited.
    redis.pcall('SET', KEYS[2], string.gsub(guard, ' ', ' 0'), 'KEEPTTL')
  end
  return { 'held', left, token }
end

local free = not value and redis.call('EXISTS', KEYS[2]) == 0
lease(ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
if type(value) == 'table' then return { 'granted', 'WRONGTYPE' } end
if free then return { 'granted', 'FREE' } end
return { 'granted' }
