-- OFFER: stores a row that the caller has read already, only if the user has neither a value nor a guard, and no fence can have
-- expired since the row was read.
-- ARGV: value, ttl, fence, and the moment by this server's clock from which the row is too old (milliseconds): the moment of its
-- reading, and a fence. A clock that shows less than the moment of the reading has been set back, and cannot tell how old the row is.
-- Returns 1, or 0 when it is refused.
local moment, tooOldFrom = now(), tonumber(ARGV[4])
if moment >= tooOldFrom or moment < tooOldFrom - tonumber(ARGV[3]) then return 0 end
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then
  -- A guard of usher's has a TTL of less than two fences. A longer one would refuse all offers, so its TTL is cut to that.
  local left = redis.call('PTTL', KEYS[2])
  if left == -1 or left > 2 * tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[2], 2 * tonumber(ARGV[3])) end
  return 0
end

store(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3])
return 1
