package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.RedisCommandExecutionException;
import java.io.IOException;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RedisTroublesTest {

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
        assertThat(RedisTroubles.codeOf(new CompletionException(new RedisCommandExecutionException(message))))
                .isEqualTo(code);
    }

    @Test
    void whatIsNoAnswerHasNoCode() {
        assertThat(RedisTroubles.codeOf(new CompletionException(new IOException("connection reset"))))
                .isNull();
    }
}
