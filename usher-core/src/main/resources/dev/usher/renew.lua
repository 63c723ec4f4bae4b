-- RENEW: more time for a claim that is still held. A lease of 0 gives the claim up.
-- ARGV: token, lease, fence (milliseconds). Answers 1, or 0 when the claim is lost.
if claim() ~= ARGV[1] then return 0 end

lease(ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
return 1
