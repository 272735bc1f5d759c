-- ask.lua - a key's state with its block: src/algo/block.c, src/store/table_store.c.
--
-- S: key, block_key; block, when it ends (0: none runs); dirty and block_dirty, what is to be
-- written; and what the algorithm keeps in it.
local function limit(A)
    local L = {A = A, block = word(), block_horizon = word()}
    A.limit(L)
    return L
end

-- The state of a key; nil where a value is none of ours. block_key may be nil: then no limit here
-- has a block.
local function open(A, key, value, block_key, block)
    local S = {0, 0, 0, key = key, block_key = block_key, block = 0}
    if A.list then
        A.open(S)
    elseif value == -1 or (value and not A.read(S, value)) then
        return nil
    end
    if block then
        local ends = block ~= -1 and number(block)
        if not ends or stale(block_key, ends) then
            return nil
        end
        S.block = ends
    end
    return not S.bad and S or nil
end

local function close(A, S)
    if S.dirty then
        A.write(S)
    end
    if S.block_dirty then
        save(S.block_key, format(D, S.block), S.block)
    end
end

-- Decides by the block first, then by the key's own state; a denial starts the block. A cost that
-- can never fit (whole < 0) writes nothing at all.
local function ask(L, S, whole, part, verb)
    local step = L.A.step
    if L.block == 0 then
        return step(L, S, whole, part, verb)
    end
    local ends, writes = S.block, verb ~= PEEK and whole >= 0
    if ends - now > L.block_horizon then
        ends = now + L.block
        if writes then
            S.block, S.block_dirty = ends, true
        end
    end
    if ends > now then
        step(L, S, whole, part, writes and MEND or PEEK)
        return false
    end
    local allowed = step(L, S, whole, part, verb)
    if not allowed and verb == CHECK and writes and not S.bad then
        S.block, S.block_dirty = now + L.block, true
    end
    return allowed
end
