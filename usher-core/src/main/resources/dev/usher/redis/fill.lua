-- FILL: stores values that the claimant has loaded, each unless the user has changed since: the guard must still hold the claim, and the
-- key must still hold the value that the claim may replace, or still no value. KEYS: the values, then their guards.
-- ARGV: token, fence (milliseconds), a value and its ttl for each, and optionally, where there is one, the value that may be replaced.
-- Returns for each 1, or 0 when it is refused.
local token, fence = ARGV[1], ARGV[2]
local count = #KEYS / 2
local replaced = ARGV[3 + 2 * count]
local there = redis.call('MGET', unpack(KEYS))

local function filled(i)
  local value, guard = there[i] or nil, there[count + i]
  if claim_in(guard) ~= token then return 0 end
  if value ~= replaced then return 0 end
  store(KEYS[i], KEYS[count + i], ARGV[1 + 2 * i], ARGV[2 + 2 * i], fence)
  return 1
end

local answers = {}
for i = 1, count do
  answers[i] = filled(i)
end
return answers
