-- The common part of all scripts but FENCE. KEYS[1] is the value, KEYS[2] its guard; CLAIM and FILL take several, first the values and then their
-- guards. All are in one slot.
-- The guard holds "-" for a fence, or "<token> <deadline>" for a claim. A deadline is in milliseconds of this server's
-- clock, which also decides when the guard expires: the two cannot disagree. A deadline that begins with 0 is that of an
-- awaited claim: another node has asked for the guard since it was granted.

local FENCE = '-'

local clock
local function now()
  if not clock then
    local time = redis.call('TIME')
    clock = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return clock
end

-- The token of the claim in what a guard holds, the milliseconds it has left and whether it is awaited, or nil. A claim past its deadline
-- counts as a fence, and so does a guard that cannot be parsed, or is longer than any that usher writes.
-- The last one is kept: users that were claimed together have the same guard.
local parsed, its_token, its_left, its_awaited
local function claim_in(guard)
  if type(guard) ~= 'string' or #guard > 1000 then return nil end
  if guard ~= parsed then
    local token, deadline = string.match(guard, '^(%S+) (%d+)$')
    parsed, its_token = guard, nil
    local left = token and tonumber(deadline) - now() or 0
    if left > 0 then
      its_token, its_left, its_awaited = token, left, string.sub(deadline, 1, 1) == '0'
    end
  end
  if its_token then return its_token, its_left, its_awaited end
  return nil
end

local function claim(guard)
  return claim_in(redis.pcall('GET', guard))
end

-- As claim(), for a claim with another token. A claim that has more time left than a lease was not written by usher, or the clock has
-- been set back: it counts as a fence, too. A guard can be taken from a claim at any time, since the claimant's fill is then refused.
local function others(guard, token, millis)
  local holder, left, awaited = claim(guard)
  if holder == token or (holder and left > millis) then return nil end
  return holder, left, awaited
end

-- What a guard holds for a claim of the token, for a lease.
local function leased(token, millis, awaited)
  return token .. string.format(awaited and ' 0%.0f' or ' %.0f', now() + millis)
end

-- Writes a claim of the token into the guard, for a lease. The key outlives the lease by the TTL of a fence.
local function lease(guard, token, millis, fence, awaited)
  redis.call('SET', guard, leased(token, millis, awaited), 'PX', millis + fence)
end

local function store(key, guard, value, ttl, fence)
  redis.call('SET', key, value, 'PX', ttl)
  redis.call('SET', guard, FENCE, 'PX', fence)
end
