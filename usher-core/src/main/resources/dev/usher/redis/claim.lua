-- CLAIM: the right to load missing entries. KEYS: the values, then their guards.
-- ARGV: token, lease, fence (milliseconds), and optionally a value that the caller could not read.
-- Returns an answer for each: {'stored', the value}, {'held', the milliseconds that another claim has left, its token}, {'granted'}, with
-- 'WRONGTYPE' as a second word when the key does not hold a string, or 1: granted where there was neither a value nor a guard.
local token, millis, fence = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local mine, life = leased(token, millis), string.format('%.0f', millis + fence)
local count = #KEYS / 2

-- Next to all claims are of users without a value and without a guard: one command finds out the former for all of them, and one for each
-- finds out the latter, and claims.
local existing = redis.call('EXISTS', unpack(KEYS, 1, count))

local function claimed(key, guard)
  local value = existing > 0 and redis.pcall('GET', key)
  if type(value) == 'string' and value ~= ARGV[4] then return { 'stored', value } end
  if not value then
    local free = redis.call('SET', guard, mine, 'PX', life, 'NX')
    if free then return 1 end
  end

  local holder, left, awaited = others(guard, token, millis)
  if holder then
    if not awaited then
      local held = redis.call('GET', guard)
      -- A full Redis refuses the write; the claimant then does not learn that its claim is awaited.
      redis.pcall('SET', guard, string.gsub(held, ' ', ' 0'), 'KEEPTTL')
    end
    return { 'held', left, holder }
  end

  lease(guard, token, millis, fence)
  if type(value) == 'table' then return { 'granted', 'WRONGTYPE' } end
  return { 'granted' }
end

local answers = {}
for i = 1, count do
  answers[i] = claimed(KEYS[i], KEYS[count + i])
end
return answers
