-- ABSENT: the claimant has found that the user does not exist. The absence is stored only if another node waits for the answer.
-- ARGV: token, the value for an absent user, its ttl, fence (milliseconds), and 'FREE' if the claim was granted where there was neither
-- a value nor a guard: then no key is left behind.
-- Returns {'stored'}, {'dropped'}, or {'refused'} when the claim is lost or the value exists.
local token, _, awaited = claim(KEYS[2])
if token ~= ARGV[1] then return { 'refused' } end
if type(redis.pcall('GET', KEYS[1])) == 'string' then return { 'refused' } end

if awaited then
  store(KEYS[1], KEYS[2], ARGV[2], ARGV[3], ARGV[4])
  return { 'stored' }
end
-- Written and deleted: a key that was read while it was missing stays in the table of tracked keys until it changes.
redis.call('SET', KEYS[1], ARGV[2])
redis.call('DEL', KEYS[1])
if ARGV[5] == 'FREE' then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], FENCE, 'PX', ARGV[4])
end
return { 'dropped' }
