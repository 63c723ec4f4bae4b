-- RENEW: extends a claim that is still held. A lease of 0 gives the claim up.
-- ARGV: token, lease, fence (milliseconds), and 'FREE' to give up a claim that was granted where there was neither a value nor a guard:
-- its guard is then deleted. Returns 1, or 0 when the claim is lost.
local token, _, awaited = claim(KEYS[2])
if token ~= ARGV[1] then return 0 end

if ARGV[4] == 'FREE' then
  redis.call('DEL', KEYS[2])
else
  lease(KEYS[2], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), awaited)
end
return 1
