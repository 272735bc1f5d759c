-- quick.lua - the commonest call by the shortest way: checks of one cost, by the server's time, under
-- a bucket without a block whose interval is a whole number of microseconds.
--
-- It decides as token-bucket.lua does, and leaves to that what is not of the commonest form. Going
-- first, it saves a lone check from making the functions that it does not need. An UNTIL is moved by
-- INCRBY, which takes no number but one written as we write it, and does a third of SET's work; and
-- its expiry only where it moves into another second. docs/decisions/0007 has the figures.
local whole = ARGV[9]
if not supplied and ARGV[2] == '0' and ARGV[3] == '0' and ARGV[8] == '1' and whole ~= '-1' and
    not ARGV[11] then
    local depth, horizon, cost = ARGV[5] + 0, ARGV[7] + 0, whole + 0
    local KEYS, tonumber = KEYS, tonumber
    local fresh, fresh_expiry, second, expiry
    found = call('MGET', unpack(KEYS))
    for i = 1, #KEYS do
        local text = found[i]
        local ends = text and #text == 16 and tonumber(text)
        local owed = ends and ends - now
        if not text then
            if not fresh then
                local after = now + cost
                fresh, fresh_expiry = format(D, after), format(D, (after + -after % 1000000) / 1000)
            end
            -- MGET answers nothing for another type, too.
            if not call('SET', KEYS[i], fresh, 'PXAT', fresh_expiry, 'NX') then
                found[i] = -1
            end
        elseif not owed or owed > horizon or owed < -(MARGIN + SLACK) then
            left = left or {}
            left[i] = true
        else
            local after = owed > 0 and owed + cost or cost
            if after <= depth then
                after = after + now
                local step = after - ends
                local reply = try('INCRBY', KEYS[i], step == cost and whole or format(D, step))
                local within = ends % 1000000
                if reply ~= after then
                    if type(reply) == 'table' and not find(reply.err, 'integer') then
                        return reply
                    end
                    found[i] = -1
                elseif within == 0 or within + step > 1000000 then
                    local last = after + -after % 1000000
                    if last ~= second then
                        second, expiry = last, format(D, last / 1000)
                    end
                    call('PEXPIREAT', KEYS[i], expiry)
                end
            end
        end
    end
    if not left then
        found[#KEYS + 1] = now
        return found
    end
end
