-- FILL: stores what the claimant has loaded, only if nothing came between: the guard still holds its claim.
-- ARGV: token, value, ttl, fence (milliseconds). Answers 1, or 0 when it is refused.
if claim() ~= ARGV[1] then return 0 end

store(ARGV[2], ARGV[3], ARGV[4])
return 1
