package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.RedisCommandExecutionException;
import java.io.IOException;
import java.security.cert.CertificateExpiredException;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;
import javax.net.ssl.SSLHandshakeException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RedisErrorLogTest {

    /** As Redis 6.2, Redis 7 and Valkey word them, outside of scripts and within. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            OOM command not allowed when used memory > 'maxmemory'.                                            | OOM
            ERR Error running script (call to f_1): @user_script:3: -OOM command not allowed                   | OOM
            READONLY You can't write against a read only replica.                                              | READONLY
            NOPERM this user has no permissions to run the 'evalsha' command                                   | NOPERM
            ERR ACL failure in script: User usher has no permissions to run the 'del' command                  | NOPERM
            ERR Error running script: The user executing the script can't run this command or subcommand       | NOPERM
            ERR The user executing the script can't access at least one of the keys mentioned in the command   | NOPERM
            WRONGTYPE Operation against a key holding the wrong kind of value                                  | WRONGTYPE
            ERR unknown command `EVALSHA`, with args beginning with: `13800000000`                             | ERR
            13800000000 is not what an error begins with                                                       | ERR
            """)
    void anErrorHasACodeAndItsTextGoesNoFurther(String message, String code) {
        assertThat(RedisErrorLog.codeOf(new CompletionException(new RedisCommandExecutionException(message))))
                .isEqualTo(code);
    }

    @Test
    void whatIsNoAnswerHasNoCode() {
        assertThat(RedisErrorLog.codeOf(new CompletionException(new IOException("connection reset"))))
                .isNull();
    }

    /** The reasons in the log and in health, for errors of Redis 6.2, Redis 7, Valkey and proxies. */
    @ParameterizedTest
    @CsvSource(delimiterString = "=>", textBlock = """
            OOM command not allowed when used memory > 'maxmemory'.                                            => OOM
            NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH        => NOAUTH
            WRONGPASS invalid username-password pair or user is disabled.                                      => WRONGPASS
            ERR max number of clients reached                                                                  => max number of clients
            NOPERM this user has no permissions to run the 'evalsha' command or its subcommand                 => NOPERM (evalsha)
            NOPERM User usher has no permissions to run the 'get' command                                      => NOPERM (get)
            NOPERM this user has no permissions to run the 'client|tracking' command                           => NOPERM (client|tracking)
            NOPERM this user has no permissions to run the '13800000000' command                               => NOPERM
            NOPERM this user has no permissions to access one of the keys used as arguments                    => NOPERM (a key)
            NOPERM No permissions to access a key                                                              => NOPERM (a key)
            ERR ACL failure in script: User usher has no permissions to run the 'del' command script: f        => NOPERM (del)
            ERR ACL failure in script: No permissions to access a key script: f, on @user_script:3.            => NOPERM (a key)
            ERR The user executing the script can't access at least one of the keys mentioned in the command   => NOPERM (a key)
            ERR The user executing the script can't run this command or subcommand                             => NOPERM
            ERR unknown command `EVALSHA`, with args beginning with: `13800000000`                             => ERR (unknown command evalsha)
            ERR unknown command 'HMGET', with args beginning with: 'get' 'set'                                 => ERR (unknown command hmget)
            ERR unknown command '13800000000', with args beginning with: 'get'                                 => ERR (unknown command)
            ERR unsupported command `EVAL`                                                                     => ERR (unknown command eval)
            ERR Unknown Redis command called from script                                                       => ERR (unknown command)
            WRONGTYPE Operation against a key holding the wrong kind of value                                  => WRONGTYPE
            13800000000 is not what an error begins with                                                       => ERR
            """)
    void whatIsRefusedIsNamedAndNothingElseOfItsText(String message, String reason) {
        assertThat(RedisErrorLog.reasonOf(new CompletionException(new RedisCommandExecutionException(message))))
                .isEqualTo(reason);
    }

    /** Each call of each script, as Redis 6.2 and 7 name it: by the script's digest and the line. */
    @Test
    void aCallThatIsRefusedWithinAScriptIsNamedByItsLine() {
        int calls = 0;
        for (GuardScript script : GuardScript.ALL) {
            List<String> lines = script.source().lines().toList();
            for (int line = 1; line <= lines.size(); line++) {
                List<String> called = Pattern.compile("redis\\.p?call\\('(\\w+)'")
                        .matcher(lines.get(line - 1))
                        .results()
                        .map(call -> call.group(1).toLowerCase(Locale.ROOT))
                        .toList();
                assertThat(called)
                        .as("calls in one line, of which an error names the line alone")
                        .hasSizeLessThan(2);
                for (String command : called) {
                    calls++;
                    assertThat(reasonOf(
                                    "ERR Error running script (call to f_" + script.sha1() + "): @user_script:" + line
                                            + ": @user_script: " + line
                                            + ": The user executing the script can't run this command"
                                            + " or subcommand"))
                            .isEqualTo("NOPERM (" + command + ")");
                    assertThat(reasonOf("ERR Unknown Redis command called from script script: " + script.sha1()
                                    + ", on @user_script:" + line + "."))
                            .isEqualTo("ERR (unknown command " + command + ")");
                }
            }
        }
        assertThat(calls).isGreaterThan(40);
        assertThat(reasonOf("ERR The user executing the script can't run this command or subcommand script: "
                        + "0".repeat(40) + ", on @user_script:3."))
                .as("of another program")
                .isEqualTo("NOPERM");
    }

    @Test
    void aFailureOnTheWayIsNamedByItsDeepestCauseAndAnAlertByItsName() {
        Exception expired = new CertificateExpiredException("NotAfter: 13800000000");
        assertThat(RedisErrorLog.reasonOf(
                        new CompletionException(new SSLHandshakeException("PKIX").initCause(expired))))
                .isEqualTo("CertificateExpiredException");
        assertThat(RedisErrorLog.reasonOf(new CompletionException(
                        new SSLHandshakeException("(certificate_expired) Received fatal alert: certificate_expired"))))
                .isEqualTo("SSLHandshakeException (certificate_expired)");
    }

    private static String reasonOf(String message) {
        return RedisErrorLog.reasonOf(new RedisCommandExecutionException(message));
    }

    /** A server says what it is only to a caller that has authenticated; its port is all that is known before. */
    @ParameterizedTest
    @CsvSource({
        "redis://10.0.0.5:26379, WRONGPASS invalid, true",
        "redis://10.0.0.5:26379, NOAUTH HELLO, true",
        "redis://10.0.0.5:26379, LOADING Redis, false",
        "redis://10.0.0.5:6379, WRONGPASS invalid, false",
        "redis-sentinel://10.0.0.5:26379#mymaster, WRONGPASS invalid, false"
    })
    void thePasswordOfASentinelIsSuspectedAtItsPort(String uri, String message, boolean isSuspected) {
        RedisErrorLog errorLog = new RedisErrorLog(RedisUris.parse(uri));

        assertThat(errorLog.unconnectedBecause(new RedisCommandExecutionException(message)))
                .startsWith(message.split(" ", 2)[0])
                .matches(reason -> reason.contains("is the port of a Sentinel") == isSuspected);
    }

    /** In a Cluster, the connections to the register are led from server to server. */
    @Test
    void aServerIsNamedByItsAddressOfTheMoment() {
        AtomicReference<@Nullable ServerAddress> place = new AtomicReference<>();
        RedisErrorLog errorLog = new RedisErrorLog(RedisUris.parse("redis://:s3cret@[::1]:7001"), place::get);
        assertThat(errorLog.address()).isEqualTo("[::1]:7001");

        place.set(new ServerAddress("10.0.0.5", 7002));

        assertThat(errorLog.address()).isEqualTo("10.0.0.5:7002");
        assertThat(errorLog.failed("is not connected")).hasMessage("Redis at 10.0.0.5:7002 is not connected");
    }
}
