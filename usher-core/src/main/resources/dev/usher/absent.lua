-- ABSENT: the claimant has found that there is no such user. That is stored only if another node waits for the answer.
-- ARGV: token, what stands for no user, its ttl, fence (milliseconds), and 'FREE' where the claim was granted over nothing: then
-- nothing is left behind, as if it had never been asked for.
-- Answers {'stored'}, {'dropped'}, or {'refused'} when the claim is lost or a string stands there.
local token, _, awaited = claim()
if token ~= ARGV[1] then return { 'refused' } end
if type(redis.pcall('GET', KEYS[1])) == 'string' then return { 'refused' } end

if awaited then
  store(ARGV[2], ARGV[3], ARGV[4])
  return { 'stored' }
end
-- A key that was read while it was missing stays in the table of tracked keys until it changes.
redis.call('SET', KEYS[1], ARGV[2])
redis.call('DEL', KEYS[1])
if ARGV[5] == 'FREE' then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], FENCE, 'PX', ARGV[4])
end
return { 'dropped' }
