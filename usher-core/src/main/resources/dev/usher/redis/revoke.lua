-- REVOKE: gives each group of users that were revoked a number, keeps their names for the nodes, and changes the signal.
-- ARGV: 1 a new name for a register, 2 the history of this server, then the hashes of each group.
-- Returns ok, the register, its last number and the count of changes; or format, and which.
local id, history, number = register()
if not id and history then return {'format', history} end
-- PEXPIRE first: see REGISTER.
if not id or history ~= ARGV[2] then
  begin(ARGV[1], ARGV[2])
  id, number = ARGV[1], 0
else
  redis.call('PEXPIRE', KEYS[1], STAYS)
end
for group = 3, #ARGV do
  redis.call('RPUSH', KEYS[6], ARGV[group])
  number = number + 1
end
redis.call('LTRIM', KEYS[6], -NAMES, -1)
redis.call('PEXPIRE', KEYS[6], NAMES_STAY)
local recent = redis.call('LRANGE', KEYS[6], -SIGNALLED, -1)
local signalled = ''
for i = #recent, 1, -1 do
  if #signalled + 2 * #recent[i] + 1 > MAX_SIGNALLED then break end
  local name = string.gsub(recent[i], '.', function(byte) return string.format('%02x', string.byte(byte)) end)
  signalled = ' ' .. name .. signalled
end
redis.call('SET', KEYS[1], string.format('%s %s %s %.0f', FORMAT, id, ARGV[2], number) .. signalled, 'PX', STAYS)
extend()
return {'ok', id, number, tonumber(redis.call('ZSCORE', KEYS[4], '#'))}
