-- values.lua - the words of ARGV, and values read and written.
--
-- Everything is read before anything is written, but for lists (sliding-log.lua).
-- Two and three numbers as a value.
local D2 = D .. ' ' .. D
local D3 = D2 .. ' ' .. D

local at = 1
local function word()
    at = at + 1
    return ARGV[at] + 0
end

-- A number as we write them: decimal, without sign or leading zero. nil: this is none.
local function number(text)
    if #text > 16 or not find(text, '^%d+$') or (byte(text) == 48 and #text > 1) then
        return nil
    end
    local value = text + 0
    return value <= LAST_NUMBER and value or nil
end

-- Whether a state that ends at `ends` cannot be one of ours: ours would have expired, or would at
-- least be going to.
local function stale(key, ends)
    if supplied then
        return ends <= now and call('PTTL', key) == -1
    end
    return ends < now - MARGIN - SLACK
end

-- Writes a value that means nothing from `ends` on. Many of one call often end together.
local saved_ends, saved_expiry
local function save(key, value, ends)
    if supplied then
        call('SET', key, value, 'PX', format(D, max(ceil((ends - now) / 1000), 0) + MARGIN / 1000))
    elseif ends > now then
        if ends ~= saved_ends then
            saved_ends, saved_expiry = ends, format(D, ceil(ends / 1000))
        end
        call('SET', key, value, 'PXAT', saved_expiry)
    else
        call('DEL', key)
    end
end

-- The values of all KEYS: false where there is none, -1 where it is of another type. MGET does not
-- tell these two apart. lists[i]: KEYS[i] is to be a list, and is looked at elsewhere.
local function fetch(lists)
    local found = call('MGET', unpack(KEYS))
    local absent = {}
    for i = 1, #KEYS do
        if lists[i] then
            found[i] = 0
        elseif not found[i] then
            absent[#absent + 1] = KEYS[i]
        end
    end
    if #absent > 0 and call('EXISTS', unpack(absent)) > 0 then
        for i = 1, #KEYS do
            if not found[i] and call('EXISTS', KEYS[i]) == 1 then
                found[i] = -1
            end
        end
    end
    return found
end

-- What a limit is, by algorithm: limit() reads its words into a table, read() a value into a state,
-- step() decides, refund() gives back, write() writes a state. `algorithm` is the last one defined.
local algorithms, algorithm = {}, nil
-- Set where calendar-window was not given the windows that the server's time is in.
local outside = false
-- What C has to be told besides the values found: of each step of a list, in order.
local tape = {}
