/* resp_session_test.c - a peer of the RESP door: what client libraries send on connecting, who may
 * do what, what is refused and how, and that answers come in order however the bytes do. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/resp_desk.h"

#include <stdlib.h>
#include <string.h>

static void expect(struct resp_desk *desk, struct weir_session *session, const char *say,
                   const char *answer)
{
    char *transcript = resp_desk_talk(desk, session, say);
    assert_string_equal(transcript, answer);
    free(transcript);
}

static void expect_fresh(const char *say, const char *answer)
{
    struct resp_desk *desk = resp_desk_new(NULL);
    expect(desk, resp_desk_peer(desk), say, answer);
    resp_desk_free(desk);
}

/* The same where the listener asks for a token. */
static void expect_guarded(const char *say, const char *answer)
{
    static const struct resp_desk_options options = {.tokens = true};
    struct resp_desk *desk = resp_desk_new(&options);
    expect(desk, resp_desk_peer(desk), say, answer);
    resp_desk_free(desk);
}

/* What is answered has all of `parts`, which end with NULL. */
static void expect_parts(const char *say, const char *const *parts)
{
    struct resp_desk *desk = resp_desk_new(NULL);
    char *transcript = resp_desk_talk(desk, resp_desk_peer(desk), say);
    for (size_t i = 0; parts[i] != NULL; i++) {
        if (strstr(transcript, parts[i]) == NULL) {
            fail_msg("%s\nis not in\n%s", parts[i], transcript);
        }
    }
    free(transcript);
    resp_desk_free(desk);
}

/* ---- Small commands ------------------------------------------------------------------------ */

static void ping_and_echo(void **state)
{
    (void)state;
    expect_fresh("PING\nping\nPiNg hello\nPING ''\nECHO hi\n",
                 "+PONG\n+PONG\n\"hello\"\n\"\"\n\"hi\"\n");
}

static void there_is_one_database(void **state)
{
    (void)state;
    expect_fresh("SELECT 0\nSELECT 1\nSELECT -1\nSELECT x\nSELECT 99999999999999999999\n",
                 "+OK\n-ERR DB index is out of range\n-ERR DB index is out of range\n"
                 "-ERR value is not an integer or out of range\n"
                 "-ERR value is not an integer or out of range\n");
}

static void transactions_are_refused_clearly(void **state)
{
    (void)state;
    expect_fresh("MULTI\nEXEC\nDISCARD\n",
                 "-ERR MULTI is not supported: each command decides by itself; send them as a "
                 "pipeline without a transaction\n"
                 "-ERR EXEC without MULTI\n-ERR DISCARD without MULTI\n");
}

static void quit_is_the_last_that_is_read(void **state)
{
    (void)state;
    struct resp_desk *desk = resp_desk_new(NULL);
    struct weir_session *session = resp_desk_peer(desk);
    expect(desk, session, "PING\nCL.THROTTLE k 0 1 86400\nQUIT\nPING\n",
           "+PONG\n[:0 :1 :0 :-1 :86400]\n+OK\n");
    assert_true(session->closing);
    resp_desk_free(desk);
}

static void client_says_what_it_is(void **state)
{
    (void)state;
    expect_fresh("CLIENT GETNAME\nCLIENT SETNAME me\nclient getname\nCLIENT SETNAME ''\n"
                 "CLIENT GETNAME\nCLIENT SETINFO LIB-NAME redis-py\nCLIENT SETINFO lib-ver 6.4.0\n"
                 "CLIENT NO-EVICT ON\nCLIENT NO-TOUCH off\nCLIENT REPLY ON\n",
                 "nil\n+OK\n\"me\"\n+OK\nnil\n+OK\n+OK\n+OK\n+OK\n+OK\n");
    expect_fresh("CLIENT SETNAME 'a b'\nCLIENT SETINFO X y\nCLIENT SETINFO LIB-VER 'a b'\n"
                 "CLIENT NO-EVICT maybe\nCLIENT REPLY OFF\nCLIENT REPLY x\n",
                 "-ERR Client names cannot contain spaces, newlines or special characters, nor "
                 "have more than 128 bytes.\n"
                 "-ERR Unrecognized option 'X'\n"
                 "-ERR lib-ver cannot contain spaces, newlines or special characters, nor have "
                 "more than 128 bytes.\n"
                 "-ERR syntax error\n"
                 "-ERR CLIENT REPLY OFF and SKIP are not supported: every command is answered\n"
                 "-ERR syntax error\n");
}

/* A name may have 128 bytes, and no more. */
static void a_name_has_a_longest(void **state)
{
    (void)state;
    char say[512];
    char longest[129];
    memset(longest, 'n', 128);
    longest[128] = '\0';
    (void)snprintf(say, sizeof(say), "CLIENT SETNAME %s\nCLIENT GETNAME\n", longest);
    char answer[256];
    (void)snprintf(answer, sizeof(answer), "+OK\n\"%s\"\n", longest);
    expect_fresh(say, answer);
    (void)snprintf(say, sizeof(say), "CLIENT SETNAME %sn\nHELLO 2 SETNAME %sn\nCLIENT GETNAME\n",
                   longest, longest);
    static const char refused[] = "-ERR Client names cannot contain spaces, newlines or special "
                                  "characters, nor have more than 128 bytes.\n";
    (void)snprintf(answer, sizeof(answer), "%s%snil\n", refused, refused);
    expect_fresh(say, answer);
}

static void client_info_tells_what_is_known(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "addr=127.0.0.1 name=me age=0 db=0 user= resp=2 lib-name=lib lib-ver=1\\n\"",
        "\"id=", NULL};
    expect_parts("CLIENT SETNAME me\nCLIENT SETINFO LIB-NAME lib\nCLIENT SETINFO LIB-VER 1\n"
                 "CLIENT INFO\n",
                 parts);
}

static void connections_have_different_numbers(void **state)
{
    (void)state;
    struct resp_desk *desk = resp_desk_new(NULL);
    char *one = resp_desk_talk(desk, resp_desk_peer(desk), "CLIENT ID\n");
    char *two = resp_desk_talk(desk, resp_desk_peer(desk), "CLIENT ID\n");
    assert_int_equal(one[0], ':');
    assert_string_not_equal(one, two);
    free(one);
    free(two);
    resp_desk_free(desk);
}

/* ---- HELLO --------------------------------------------------------------------------------- */

static void hello_chooses_the_protocol(void **state)
{
    (void)state;
    static const char *const second[] = {
        "[\"server\" \"weir\" \"version\" \"" WEIR_VERSION "\" \"proto\" :2 \"id\" :",
        " \"mode\" \"standalone\" \"role\" \"master\" \"modules\" []]\n", NULL};
    static const char *const third[] = {"%[\"server\" \"weir\"", "\"proto\" :3", NULL};
    expect_parts("HELLO\n", second);
    expect_parts("HELLO 2\n", second);
    expect_parts("HELLO 3\n", third);
    expect_parts("HELLO 3\nHELLO\n", third);
}

static void hello_refuses_as_redis_does(void **state)
{
    (void)state;
    expect_fresh("HELLO 4\nHELLO 1\nHELLO x\nHELLO 3 foo\nHELLO 3 AUTH a\nHELLO 3 SETNAME\n"
                 "HELLO 3 SETNAME 'a b'\nCLIENT GETNAME\n",
                 "-NOPROTO unsupported protocol version\n-NOPROTO unsupported protocol version\n"
                 "-ERR Protocol version is not an integer or out of range\n"
                 "-ERR Syntax error in HELLO option 'foo'\n"
                 "-ERR Syntax error in HELLO option 'AUTH'\n"
                 "-ERR Syntax error in HELLO option 'SETNAME'\n"
                 "-ERR Client names cannot contain spaces, newlines or special characters, nor "
                 "have more than 128 bytes.\nnil\n");
}

static void hello_sets_a_name(void **state)
{
    (void)state;
    static const char *const parts[] = {"\"me\"\n", NULL};
    expect_parts("HELLO 3 SETNAME me\nCLIENT GETNAME\n", parts);
}

/* An answer is written in the protocol of the time at which its command was read. */
static void the_protocol_changes_between_two_commands(void **state)
{
    (void)state;
    struct resp_desk *desk = resp_desk_new(NULL);
    char *transcript = resp_desk_talk(desk, resp_desk_peer(desk),
                                      "WEIR.CHECK LIMIT 1/d k\nHELLO 3\nWEIR.CHECK LIMIT 1/d k\n");
    assert_memory_equal(transcript, "[:1 :1 :0 ", 10);
    assert_non_null(strstr(transcript, "\n%[\"server\""));
    assert_non_null(strstr(transcript, "\n%[\"allowed\" false "));
    free(transcript);
    resp_desk_free(desk);
}

/* ---- Who may do what ----------------------------------------------------------------------- */

#define OK_3 "\"proto\" :3"

static void nothing_goes_without_a_token(void **state)
{
    (void)state;
    expect_guarded("PING\nCL.THROTTLE k 1 1 1\nTHROTTLE k 1 1 1\nWEIR.CHECK LIMIT 1/s k\nINFO\n"
                   "COMMAND\nCLIENT ID\nCLIENT SETNAME x\nSELECT 0\nCONFIG GET save\nECHO x\n",
                   "-NOAUTH Authentication required.\n-NOAUTH Authentication required.\n"
                   "-NOAUTH Authentication required.\n-NOAUTH Authentication required.\n"
                   "-NOAUTH Authentication required.\n-NOAUTH Authentication required.\n"
                   "-NOAUTH Authentication required.\n-NOAUTH Authentication required.\n"
                   "-NOAUTH Authentication required.\n-NOAUTH Authentication required.\n"
                   "-NOAUTH Authentication required.\n");
    expect_guarded("HELLO 3\n",
                   "-NOAUTH HELLO must be called with the client already authenticated, otherwise "
                   "the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the "
                   "client and select the RESP protocol version at the same time\n");
}

static void a_token_is_shown_by_auth(void **state)
{
    (void)state;
    expect_guarded("AUTH " RESP_DESK_DECIDER "\nPING\n", "+OK\n+PONG\n");
    expect_guarded("AUTH decider " RESP_DESK_DECIDER "\nPING\n", "+OK\n+PONG\n");
    expect_guarded("AUTH " RESP_DESK_NAMELESS "\nAUTH whoever " RESP_DESK_NAMELESS "\nPING\n",
                   "+OK\n+OK\n+PONG\n");
    /* As libraries do that were given no user. */
    expect_guarded("AUTH default " RESP_DESK_DECIDER "\nPING\n", "+OK\n+PONG\n");
}

static void a_wrong_token_changes_nothing(void **state)
{
    (void)state;
    static const char wrong[] = "-WRONGPASS invalid username-password pair or user is disabled.\n";
    char answer[256];
    (void)snprintf(answer, sizeof(answer), "%s-NOAUTH Authentication required.\n", wrong);
    expect_guarded("AUTH wrong\nPING\n", answer);
    expect_guarded("AUTH ''\nPING\n", answer);
    expect_guarded("AUTH reader " RESP_DESK_DECIDER "\nPING\n", answer);
    expect_guarded("HELLO 3 AUTH default wrong\nPING\n", answer);
    (void)snprintf(answer, sizeof(answer), "+OK\n%s[:0 :1 :0 :-1 :86400]\n", wrong);
    expect_guarded("AUTH " RESP_DESK_DECIDER "\nAUTH wrong\nCL.THROTTLE k 0 1 86400\n", answer);
    expect_guarded("AUTH a b c\n", "-ERR syntax error\n");
}

static void a_token_is_shown_by_hello(void **state)
{
    (void)state;
    static const struct resp_desk_options options = {.tokens = true};
    struct resp_desk *desk = resp_desk_new(&options);
    char *transcript = resp_desk_talk(desk, resp_desk_peer(desk),
                                      "HELLO 3 AUTH default " RESP_DESK_DECIDER
                                      " SETNAME x\nCL.THROTTLE k 0 1 86400\nCLIENT INFO\n");
    assert_non_null(strstr(transcript, OK_3));
    assert_non_null(strstr(transcript, "\n[:0 :1 :0 :-1 :86400]\n"));
    assert_non_null(strstr(transcript, "name=x"));
    assert_non_null(strstr(transcript, "user=decider"));
    free(transcript);
    resp_desk_free(desk);
}

static void a_token_has_its_rights_and_no_more(void **state)
{
    (void)state;
    expect_guarded("AUTH " RESP_DESK_DECIDER "\nCL.THROTTLE k 0 1 86400\nTHROTTLE k 1 1 86400\n"
                   "WEIR.RESET LIMIT 1/d k\nCONFIG GET save\n",
                   "+OK\n[:0 :1 :0 :-1 :86400]\n[:0 :1 :0 :86400 :86400]\n"
                   "-NOPERM User decider has no permissions to run the 'weir.reset' command\n"
                   "-NOPERM User decider has no permissions to run the 'config|get' command\n");
    expect_guarded("AUTH " RESP_DESK_READER "\nCL.THROTTLE k 0 1 86400\nTHROTTLE k 1 1 86400\n"
                   "WEIR.CHECK LIMIT 1/d k\nWEIR.PEEK LIMIT 1/d k\nWEIR.REFUND LIMIT 1/d k\n"
                   "WEIR.RESET LIMIT 1/d k\nCONFIG GET save\nPING\n",
                   "+OK\n-NOPERM User reader has no permissions to run the 'cl.throttle' command\n"
                   "-NOPERM User reader has no permissions to run the 'throttle' command\n"
                   "-NOPERM User reader has no permissions to run the 'weir.check' command\n"
                   "-NOPERM User reader has no permissions to run the 'weir.peek' command\n"
                   "-NOPERM User reader has no permissions to run the 'weir.refund' command\n"
                   "-NOPERM User reader has no permissions to run the 'weir.reset' command\n"
                   "[\"save\" \"\"]\n+PONG\n");
    expect_guarded("AUTH " RESP_DESK_MASTER "\nCL.THROTTLE k 0 1 86400\nWEIR.RESET LIMIT 1/d k\n"
                   "CONFIG GET save\n",
                   "+OK\n[:0 :1 :0 :-1 :86400]\n:1\n[\"save\" \"\"]\n");
}

/* RESET gives the rights back. */
static void reset_makes_it_a_new_connection(void **state)
{
    (void)state;
    expect_guarded("AUTH " RESP_DESK_MASTER "\nCLIENT SETNAME x\nRESET\nPING\n",
                   "+OK\n+OK\n+RESET\n-NOAUTH Authentication required.\n");
    expect_fresh("CLIENT SETNAME x\nRESET\nCLIENT GETNAME\n", "+OK\n+RESET\nnil\n");
    struct resp_desk *desk = resp_desk_new(NULL);
    char *transcript = resp_desk_talk(desk, resp_desk_peer(desk), "HELLO 3\nRESET\nHELLO\n");
    assert_non_null(strstr(transcript, "\n+RESET\n[\"server\""));
    free(transcript);
    resp_desk_free(desk);
}

/* A listener may let strangers do something: what they may not takes a token. */
static void strangers_may_have_rights(void **state)
{
    (void)state;
    static const struct resp_desk_options options = {.tokens = true, .rights = WEIR_RIGHT_DECIDE};
    struct resp_desk *desk = resp_desk_new(&options);
    expect(desk, resp_desk_peer(desk), "PING\nCL.THROTTLE k 0 1 86400\nWEIR.RESET LIMIT 1/d k\n",
           "+PONG\n[:0 :1 :0 :-1 :86400]\n-NOAUTH Authentication required.\n");
    resp_desk_free(desk);
}

static void auth_without_tokens_is_refused(void **state)
{
    (void)state;
    expect_fresh("AUTH x\nAUTH a b\nPING\n",
                 "-ERR AUTH <password> called without any password configured for the default "
                 "user. Are you sure your configuration is correct?\n"
                 "-WRONGPASS invalid username-password pair or user is disabled.\n+PONG\n");
}

/* ---- COMMAND, INFO, CONFIG ----------------------------------------------------------------- */

static void command_tells_what_there_is(void **state)
{
    (void)state;
    expect_fresh("COMMAND COUNT\n", ":20\n");
    expect_fresh("COMMAND INFO CL.THROTTLE nope ping\n",
                 "[[\"cl.throttle\" :-1 [+write +fast] :1 :1 :1 [+@write +@fast] [] [] []] nil "
                 "[\"ping\" :-1 [+fast] :0 :0 :0 [+@connection] [] [] []]]\n");
    static const char *const all[] = {"[[\"cl.throttle\" ",
                                      "[\"client\" :-2 [] :0 :0 :0 [+@connection] [] [] "
                                      "[[\"client|getname\" :2 [+fast] ",
                                      NULL};
    expect_parts("COMMAND\n", all);
    expect_parts("COMMAND INFO\n", all);
    static const char *const names[] = {"[\"cl.throttle\" \"throttle\" \"weir.check\" \"ping\"",
                                        "\"select\"]\n", NULL};
    expect_parts("COMMAND LIST\n", names);
}

static void command_docs_describes(void **state)
{
    (void)state;
    expect_fresh("COMMAND DOCS nope PING\n",
                 "[\"ping\" [\"summary\" \"Answers PONG, or the message.\" \"since\" \"0.1.0\" "
                 "\"group\" \"connection\" \"complexity\" \"O(1)\" \"arguments\" "
                 "[[\"name\" \"[message]\" \"type\" \"string\"]]]]\n");
    static const char *const third[] = {"%[\"cl.throttle\" %[\"summary\" ", NULL};
    expect_parts("HELLO 3\nCOMMAND DOCS\n", third);
}

static void help_lists_subcommands(void **state)
{
    (void)state;
    expect_fresh("CONFIG HELP\n",
                 "[+config get setting [setting ...] +    Tells those settings that this server "
                 "has too. +config help  +    Prints this.]\n");
    static const char *const client[] = {"+client setname name ", NULL};
    expect_parts("CLIENT HELP\n", client);
    static const char *const command[] = {"+command docs [command ...] ", NULL};
    expect_parts("COMMAND HELP\n", command);
}

static void info_has_sections(void **state)
{
    (void)state;
    static const char *const all[] = {"\"# Server\\r\\nserver_name:weir\\r\\n",
                                      ("weir_version:" WEIR_VERSION),
                                      "uptime_in_seconds:7\\r\\n",
                                      "connected_clients:5\\r\\n",
                                      "loading:0\\r\\n",
                                      "role:master\\r\\n",
                                      "store:memory\\r\\n",
                                      "ready:1\\r\\n",
                                      "policy_version:1\\r\\n",
                                      "policy_rules:3\\r\\n",
                                      "policy_fingerprint:0000000000abcdef\\r\\n",
                                      "table_used:3\\r\\n",
                                      NULL};
    expect_parts("INFO\n", all);
    expect_parts("INFO everything\n", all);
    expect_fresh("INFO persistence\nINFO nope\nINFO PERSISTENCE Replication\n",
                 "\"# Persistence\\r\\nloading:0\\r\\n\\r\\n\"\n\"\"\n"
                 "\"# Persistence\\r\\nloading:0\\r\\n\\r\\n"
                 "# Replication\\r\\nrole:master\\r\\nconnected_slaves:0\\r\\n\\r\\n\"\n");
}

/* Who may not read is told what libraries look for, and nothing of the server's doings. */
static void info_tells_little_without_the_right(void **state)
{
    (void)state;
    static const struct resp_desk_options options = {.tokens = true};
    struct resp_desk *desk = resp_desk_new(&options);
    struct weir_session *session = resp_desk_peer(desk);
    expect(desk, session, "AUTH " RESP_DESK_DECIDER "\n", "+OK\n");
    char *transcript = resp_desk_talk(desk, session, "INFO\n");
    assert_non_null(strstr(transcript, "loading:0"));
    assert_null(strstr(transcript, "connected_clients"));
    assert_null(strstr(transcript, "policy_version"));
    free(transcript);
    resp_desk_free(desk);
}

static void config_get_tells_what_tools_ask_for(void **state)
{
    (void)state;
    expect_fresh("CONFIG GET save\nCONFIG GET appendonly nope\nCONFIG GET nope\nCONFIG GET *\n"
                 "HELLO 3 foo\nCONFIG SET save x\n",
                 "[\"save\" \"\"]\n[\"appendonly\" \"no\"]\n[]\n"
                 "[\"appendonly\" \"no\" \"databases\" \"1\" \"proto-max-bulk-len\" \"65536\" "
                 "\"save\" \"\" \"timeout\" \"300\"]\n"
                 "-ERR Syntax error in HELLO option 'foo'\n"
                 "-ERR unknown subcommand 'SET'. Try CONFIG HELP.\n");
}

/* ---- What is refused ----------------------------------------------------------------------- */

static void unknown_commands_are_refused_as_redis_does(void **state)
{
    (void)state;
    expect_fresh("foo\nSUBSCRIBE a 'b c'\nEVAL \"return 1\" 0\nGET k\nCLIENT foo\nCOMMAND foo\n"
                 "'' x\n",
                 "-ERR unknown command 'foo', with args beginning with: \n"
                 "-ERR unknown command 'SUBSCRIBE', with args beginning with: 'a' 'b c' \n"
                 "-ERR unknown command 'EVAL', with args beginning with: 'return 1' '0' \n"
                 "-ERR unknown command 'GET', with args beginning with: 'k' \n"
                 "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\n"
                 "-ERR unknown subcommand 'foo'. Try COMMAND HELP.\n"
                 "-ERR unknown command '', with args beginning with: 'x' \n");
}

/* However long they are, and whatever is in them, the error is one line of some size. */
static void what_is_unknown_is_told_in_short(void **state)
{
    (void)state;
    char say[20000];
    (void)snprintf(say, sizeof(say), "%05000d %05000d %05000d\nPING\n", 1, 2, 3);
    struct resp_desk *desk = resp_desk_new(NULL);
    struct weir_session *session = resp_desk_peer(desk);
    char *transcript = resp_desk_talk(desk, session, say);
    const char *end = strchr(transcript, '\n');
    assert_non_null(end);
    assert_true(end - transcript < 400);
    assert_string_equal(end, "\n+PONG\n");
    free(transcript);
    expect(desk, session, "*2\r\n$3\r\na\r\n\r\n$4\r\nb\nc\\x00\r\nPING\n",
           "-ERR unknown command 'a  ', with args beginning with: 'b c' \n+PONG\n");
    resp_desk_free(desk);
}

static void wrong_numbers_of_arguments_are_refused_as_redis_does(void **state)
{
    (void)state;
    expect_fresh("PING a b\nECHO\nECHO a b\nSELECT\nAUTH\nCLIENT\nCLIENT SETNAME\nCLIENT ID x\n"
                 "CONFIG\nCONFIG GET\nMULTI x\nRESET x\nWEIR.CHECK\nWEIR.CHECK LIMIT\n"
                 "COMMAND COUNT x\n",
                 "-ERR wrong number of arguments for 'ping' command\n"
                 "-ERR wrong number of arguments for 'echo' command\n"
                 "-ERR wrong number of arguments for 'echo' command\n"
                 "-ERR wrong number of arguments for 'select' command\n"
                 "-ERR wrong number of arguments for 'auth' command\n"
                 "-ERR wrong number of arguments for 'client' command\n"
                 "-ERR wrong number of arguments for 'client|setname' command\n"
                 "-ERR wrong number of arguments for 'client|id' command\n"
                 "-ERR wrong number of arguments for 'config' command\n"
                 "-ERR wrong number of arguments for 'config|get' command\n"
                 "-ERR wrong number of arguments for 'multi' command\n"
                 "-ERR wrong number of arguments for 'reset' command\n"
                 "-ERR wrong number of arguments for 'weir.check' command\n"
                 "-ERR wrong number of arguments for 'weir.check' command\n"
                 "-ERR wrong number of arguments for 'command|count' command\n");
}

/* Garbage is told, after what came before it, and nothing more is read. */
static void garbage_ends_the_connection(void **state)
{
    (void)state;
    struct resp_desk *desk = resp_desk_new(NULL);
    struct weir_session *session = resp_desk_peer(desk);
    expect(desk, session, "CL.THROTTLE k 0 1 86400\n*1\r\n:5\r\nPING\n",
           "[:0 :1 :0 :-1 :86400]\n-ERR Protocol error: a command has something other than bulk "
           "strings in it\n");
    assert_true(session->closing);
    resp_desk_free(desk);
}

/* What a browser can be made to send is no way to run commands. */
static void http_ends_the_connection(void **state)
{
    (void)state;
    static const char *const said[] = {"POST / HTTP/1.1\r\nCL.THROTTLE k 0 1 86400\r\n",
                                       "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nPING\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct resp_desk *desk = resp_desk_new(NULL);
        struct weir_session *session = resp_desk_peer(desk);
        char *transcript = resp_desk_talk(desk, session, said[i]);
        assert_true(session->closing);
        assert_null(strstr(transcript, "PONG"));
        assert_null(strstr(transcript, "[:"));
        free(transcript);
        resp_desk_free(desk);
    }
}

/* A command may have as many bytes as are allowed, and as many words. */
static void commands_have_a_largest(void **state)
{
    (void)state;
    static const struct resp_desk_options options = {.body_bytes = 1024};
    struct resp_desk *desk = resp_desk_new(&options);
    struct weir_session *session = resp_desk_peer(desk);
    char say[2048];
    (void)snprintf(say, sizeof(say), "*2\r\n$4\r\nPING\r\n$1001\r\n%01001d\r\n", 0);
    assert_int_equal(strlen(say), 1024);
    char *transcript = resp_desk_talk(desk, session, say);
    assert_int_equal(strlen(transcript), 1004);
    free(transcript);
    (void)snprintf(say, sizeof(say), "*2\r\n$4\r\nPING\r\n$1002\r\n%01002d\r\n", 0);
    transcript = resp_desk_talk(desk, session, say);
    assert_memory_equal(transcript, "-ERR Protocol error: ", 21);
    assert_true(session->closing);
    free(transcript);
    resp_desk_free(desk);
}

static void commands_have_a_largest_number_of_words(void **state)
{
    (void)state;
    for (int words = 256; words <= 257; words++) {
        struct resp_desk *desk = resp_desk_new(NULL);
        struct weir_session *session = resp_desk_peer(desk);
        char say[4096];
        int len = snprintf(say, sizeof(say), "*%d\r\n", words);
        for (int i = 0; i < words; i++) {
            len += snprintf(say + len, sizeof(say) - (size_t)len, "$1\r\nx\r\n");
        }
        char *transcript = resp_desk_talk(desk, session, say);
        assert_int_equal(session->closing, words == 257);
        assert_memory_equal(transcript, words == 257 ? "-ERR Protocol error" : "-ERR unknown", 12);
        free(transcript);
        resp_desk_free(desk);
    }
}

/* ---- Order --------------------------------------------------------------------------------- */

#define PIPELINE                                                                               \
    "PING\nCL.THROTTLE k 2 1 86400\nPING 1\nPING 2\nCL.THROTTLE k 2 1 86400\nfoo\n"            \
    "WEIR.CHECK LIMIT '1/d' k\nWEIR.CHECK nope x\nCL.THROTTLE k x y z\nTHROTTLE k 3 1 86400\n" \
    "ECHO 3\nWEIR.RESET LIMIT 1/d k\nWEIR.CHECK LIMIT 1/d k\nWEIR.REFUND LIMIT 1/d k\n"        \
    "WEIR.PEEK LIMIT 1/d k\nPING 4\nCL.THROTTLE k 2 1 86400 -3\nCL.THROTTLE k 2 1 86400 3\nQUIT\n"

#define DAY "86400000000"
#define PIPELINE_ANSWERS                                                                       \
    "+PONG\n[:0 :3 :2 :-1 :86400]\n\"1\"\n\"2\"\n[:0 :3 :1 :-1 :172800]\n"                     \
    "-ERR unknown command 'foo', with args beginning with: \n"                                 \
    "[:1 :1 :0 :0 :" DAY " :0 nil \"limit\" []]\n"                                             \
    "-ERR syntax error: it begins with ATTRS, to ask by the rules, or with LIMIT, to bring a " \
    "limit\n"                                                                                  \
    "-Cell error: Store error: Couldn't parse as integer: x\n"                                 \
    "[:1 :3 :0 :259200 :0]\n\"3\"\n:1\n[:1 :1 :0 :0 :" DAY " :0 nil \"limit\" []]\n"           \
    "[:1 :1 :1 :0 :0 :0 nil \"limit\" []]\n[:1 :1 :1 :0 :0 :0 nil \"limit\" []]\n\"4\"\n"      \
    "[:0 :3 :3 :-1 :0]\n[:0 :3 :0 :-1 :259200]\n+OK\n"

/* All at once: as if each had been waited for. */
static void a_pipeline_is_answered_in_order(void **state)
{
    (void)state;
    expect_fresh(PIPELINE, PIPELINE_ANSWERS);
}

/* The commands as clients send them: arrays of bulk strings. */
static size_t as_arrays(const char *lines, struct weir_buffer *out)
{
    const struct weir_resp_limits limits = {.commands = true};
    struct weir_resp_reader *reader = weir_resp_reader_new(&limits, NULL);
    struct weir_bytes rest = weir_text(lines);
    size_t used = 0;
    while (weir_resp_read(reader, rest, &used) == WEIR_RESP_VALUE) {
        size_t count = 0;
        const struct weir_resp_value *values = weir_resp_values(reader, &count);
        weir_resp_put_array(out, count - 1);
        for (size_t i = 1; i < count; i++) {
            weir_resp_put_bulk(out, values[i].text);
        }
        rest = weir_bytes(rest.ptr + used, rest.len - used);
    }
    weir_resp_reader_free(reader);
    return out->len;
}

static void expect_fed(struct weir_bytes bytes, struct resp_feed feed,
                       const struct resp_desk_options *options)
{
    const struct weir_resp_limits limits = {0};
    struct resp_desk *desk = resp_desk_new(options);
    const struct weir_bytes said = resp_desk_bytes(desk, resp_desk_peer(desk), bytes, feed);
    char *transcript = resp_transcript(&limits, said, (struct resp_feed){.pieces = RESP_WHOLE});
    assert_string_equal(transcript, PIPELINE_ANSWERS);
    free(transcript);
    resp_desk_free(desk);
}

static void it_does_not_matter_how_the_bytes_come(void **state)
{
    (void)state;
    struct weir_buffer arrays = {0};
    (void)as_arrays(PIPELINE, &arrays);
    const struct weir_bytes forms[] = {weir_text(PIPELINE), weir_buffer_bytes(&arrays)};
    for (size_t form = 0; form < 2; form++) {
        expect_fed(forms[form], (struct resp_feed){.pieces = RESP_SINGLE}, NULL);
        for (size_t at = 1; at < forms[form].len; at++) {
            expect_fed(forms[form], (struct resp_feed){.pieces = RESP_TWO, .first = at}, NULL);
        }
    }
    weir_buffer_deinit(&arrays);
}

/* Where few may wait, the rest is read when these are answered. */
static void a_full_pipeline_is_read_when_it_is_answered(void **state)
{
    (void)state;
    for (uint32_t pipeline = 1; pipeline < 5; pipeline++) {
        const struct resp_desk_options options = {.pipeline = pipeline};
        expect_fed(weir_text(PIPELINE), (struct resp_feed){.pieces = RESP_WHOLE}, &options);
    }
}

/* No more is read than may wait: of what is owed, and of what is said. */
static void reading_stops_where_a_peer_has_enough(void **state)
{
    (void)state;
    static const struct resp_desk_options options = {.pipeline = 3, .output_bytes = 2000};
    struct resp_desk *desk = resp_desk_new(&options);
    struct weir_session *session = resp_desk_peer(desk);
    const struct weir_bytes owed = weir_text("CL.THROTTLE k 1 1 1\r\nCL.THROTTLE k 1 1 1\r\n"
                                             "CL.THROTTLE k 1 1 1\r\nCL.THROTTLE k 1 1 1\r\n");
    assert_int_equal(session->ops->read(session, owed), 63);
    assert_false(session->partial);
    weir_desk_flush(resp_desk_of(desk));
    weir_buffer_clear(&session->out);
    /* COMMAND says more than 2000 bytes: of many, one is read; also behind what is owed. */
    const struct weir_bytes said = weir_text("COMMAND\r\nCOMMAND\r\nCOMMAND\r\n");
    assert_int_equal(session->ops->read(session, said), 9);
    weir_buffer_clear(&session->out);
    const struct weir_bytes behind = weir_text("CL.THROTTLE k 1 1 1\r\nCOMMAND\r\nCOMMAND\r\n");
    assert_int_equal(session->ops->read(session, behind), 30);
    weir_desk_flush(resp_desk_of(desk));
    resp_desk_free(desk);
}

/* A request that has begun and is not whole is told, so that it may be timed. */
static void a_request_that_is_not_whole_is_told(void **state)
{
    (void)state;
    struct resp_desk *desk = resp_desk_new(NULL);
    struct weir_session *session = resp_desk_peer(desk);
    assert_int_equal(session->ops->read(session, weir_text("PING\r\nPI")), 6);
    assert_true(session->partial);
    assert_int_equal(session->ops->read(session, weir_text("PING\r\n")), 6);
    assert_false(session->partial);
    /* Empty commands are none, and not answered. */
    assert_int_equal(session->ops->read(session, weir_text("\r\n*0\r\n*-1\r\n")), 11);
    assert_false(session->partial);
    weir_desk_flush(resp_desk_of(desk));
    assert_int_equal(session->out.len, 14);
    resp_desk_free(desk);
}

/* A peer that goes leaves what the store has to itself. */
static void a_peer_may_go_before_it_is_answered(void **state)
{
    (void)state;
    struct resp_desk *desk = resp_desk_new(NULL);
    struct weir_session *session = resp_desk_peer(desk);
    struct weir_session *other = resp_desk_peer(desk);
    const struct weir_bytes say = weir_text("CL.THROTTLE k 2 1 86400\r\nPING\r\nCL.THROTTLE");
    (void)session->ops->read(session, say);
    resp_desk_leave(desk, session);
    weir_desk_flush(resp_desk_of(desk));
    expect(desk, other, "CL.THROTTLE k 2 1 86400\n", "[:0 :3 :1 :-1 :172800]\n");
    resp_desk_free(desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ping_and_echo),
        cmocka_unit_test(there_is_one_database),
        cmocka_unit_test(transactions_are_refused_clearly),
        cmocka_unit_test(quit_is_the_last_that_is_read),
        cmocka_unit_test(client_says_what_it_is),
        cmocka_unit_test(a_name_has_a_longest),
        cmocka_unit_test(client_info_tells_what_is_known),
        cmocka_unit_test(connections_have_different_numbers),
        cmocka_unit_test(hello_chooses_the_protocol),
        cmocka_unit_test(hello_refuses_as_redis_does),
        cmocka_unit_test(hello_sets_a_name),
        cmocka_unit_test(the_protocol_changes_between_two_commands),
        cmocka_unit_test(nothing_goes_without_a_token),
        cmocka_unit_test(a_token_is_shown_by_auth),
        cmocka_unit_test(a_wrong_token_changes_nothing),
        cmocka_unit_test(a_token_is_shown_by_hello),
        cmocka_unit_test(a_token_has_its_rights_and_no_more),
        cmocka_unit_test(reset_makes_it_a_new_connection),
        cmocka_unit_test(strangers_may_have_rights),
        cmocka_unit_test(auth_without_tokens_is_refused),
        cmocka_unit_test(command_tells_what_there_is),
        cmocka_unit_test(command_docs_describes),
        cmocka_unit_test(help_lists_subcommands),
        cmocka_unit_test(info_has_sections),
        cmocka_unit_test(info_tells_little_without_the_right),
        cmocka_unit_test(config_get_tells_what_tools_ask_for),
        cmocka_unit_test(unknown_commands_are_refused_as_redis_does),
        cmocka_unit_test(what_is_unknown_is_told_in_short),
        cmocka_unit_test(wrong_numbers_of_arguments_are_refused_as_redis_does),
        cmocka_unit_test(garbage_ends_the_connection),
        cmocka_unit_test(http_ends_the_connection),
        cmocka_unit_test(commands_have_a_largest),
        cmocka_unit_test(commands_have_a_largest_number_of_words),
        cmocka_unit_test(a_pipeline_is_answered_in_order),
        cmocka_unit_test(it_does_not_matter_how_the_bytes_come),
        cmocka_unit_test(a_full_pipeline_is_read_when_it_is_answered),
        cmocka_unit_test(reading_stops_where_a_peer_has_enough),
        cmocka_unit_test(a_request_that_is_not_whole_is_told),
        cmocka_unit_test(a_peer_may_go_before_it_is_answered),
    };
    return cmocka_run_group_tests_name("resp_session", tests, NULL, NULL);
}
