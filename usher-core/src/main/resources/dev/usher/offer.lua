-- OFFER: stores a row that the caller had read already, only if nothing is known of the user and no fence can have
-- expired since the row was read.
-- ARGV: value, ttl, fence, and the moment by this server's clock from which the row is too old (milliseconds).
-- Answers 1, or 0 when it is refused.
if now() >= tonumber(ARGV[4]) then return 0 end
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then return 0 end

store(ARGV[1], ARGV[2], ARGV[3])
return 1
