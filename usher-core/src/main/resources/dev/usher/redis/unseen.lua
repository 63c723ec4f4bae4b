-- UNSEEN: how many entries have not seen a number.
-- ARGV: 1 the register, 2 the number, 3 the field of this node's home.
-- Returns how many (-1 when the register is another one), how often entries have come and gone, the epoch of the marks, and whether nodes of other homes
-- answer for the prefix.
local id = register()
if id ~= ARGV[1] then return {-1, 0, '', 0} end
local shared = 0
local marks = redis.pcall('HGETALL', KEYS[2])
if isOfAnotherType(marks) then return {-1, 0, '', 0} end
if isRefused(marks) then redis.call('HGETALL', KEYS[2]) end
local epoch = ''
for i = 1, #marks, 2 do
  if marks[i] == '#epoch' then
    epoch = marks[i + 1]
  elseif marks[i] ~= ARGV[3] and (string.sub(marks[i], 1, 1) ~= '#' or string.sub(marks[i], 1, 6) == '#home:') then
    shared = 1
  end
end
local unseen = redis.call('ZCOUNT', KEYS[3], '-inf', '(' .. ARGV[2])
local members = redis.call('ZSCORE', KEYS[4], '#members')
return {unseen, tonumber(members or '0'), epoch, shared}
