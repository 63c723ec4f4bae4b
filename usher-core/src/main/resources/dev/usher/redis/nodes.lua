-- The common part of the scripts of the register of nodes.
-- KEYS: 1 the signal, 2 the marks of homes, 3 the entries by the number that each node has seen, 4 the entries by when they were last changed,
-- 5 this node's own key, 6 the names of the last revocations, 7 what listeners have ended. All are in one slot.
-- The signal is "<format> <register> <history> <number> <names>": all nodes read it over connections that Redis tracks, so nothing may touch it but a new
-- number. The names are those of the last numbers, in hexadecimal digits, as far as they are short: so a node that has seen the number before asks for none.
-- An entry's moment is a count of all changes of entries (the member "#" of KEYS[4]) and no time: no clock of a server is compared with anything.
-- The member "#<register>" of KEYS[3] is there as long as no part of the register has been evicted.

local FORMAT = '2'
local STAYS = 1000000
local NAMES = 1024
local NAMES_STAY = 120000
local SIGNALLED = 8
local MAX_SIGNALLED = 256

local function isOfAnotherType(answer)
  return type(answer) == 'table' and answer.err and string.find(answer.err, 'WRONGTYPE', 1, true)
end

-- A refusal says nothing of what is there: the command is called again, so that the script fails with it.
local function isRefused(answer)
  return type(answer) == 'table' and answer.err and not isOfAnotherType(answer)
end

-- Returns the register that the signal names, its history and its last number; or nil and the format of a register that this script does not know; or nil,
-- when there is none.
local function named()
  local value = redis.pcall('GET', KEYS[1])
  if isRefused(value) then redis.call('GET', KEYS[1]) end
  if type(value) ~= 'string' or #value > 1000 then return nil end
  local format = string.match(value, '^(%d+) ')
  if format and format ~= FORMAT then return nil, format end
  local id, history, number, names = string.match(value, '^%d+ (%S+) (%S+) (%d+)(.*)$')
  if not id or #number > 15 or not (names == '' or string.match(names, '^ [%x ]*$')) then return nil end
  return id, history, tonumber(number)
end

-- As named(); and nil as well, when not all of the register is there.
local function register()
  local id, history, number = named()
  if not id then return nil, history end
  local mark = redis.pcall('ZSCORE', KEYS[3], '#' .. id)
  local count = redis.pcall('ZSCORE', KEYS[4], '#')
  if isRefused(mark) or isRefused(count) then redis.call('ZSCORE', KEYS[4], '#') end
  local names = redis.pcall('LLEN', KEYS[6])
  if isRefused(names) then redis.call('LLEN', KEYS[6]) end
  if type(mark) ~= 'string' or type(count) ~= 'string' or isOfAnotherType(names) then return nil end
  return id, history, number
end

local function begin(id, history)
  redis.call('DEL', KEYS[1], KEYS[3], KEYS[4], KEYS[6], KEYS[7])
  redis.call('ZADD', KEYS[3], '+inf', '#' .. id)
  redis.call('ZADD', KEYS[4], 1, '#', 0, '#members')
  redis.call('SET', KEYS[1], FORMAT .. ' ' .. id .. ' ' .. history .. ' 0', 'PX', STAYS)
end

local function extend()
  redis.call('PEXPIRE', KEYS[3], STAYS)
  redis.call('PEXPIRE', KEYS[4], STAYS)
end
