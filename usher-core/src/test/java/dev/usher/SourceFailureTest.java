package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.sql.SQLDataException;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLIntegrityConstraintViolationException;
import java.sql.SQLInvalidAuthorizationSpecException;
import java.sql.SQLNonTransientConnectionException;
import java.sql.SQLRecoverableException;
import java.sql.SQLSyntaxErrorException;
import java.sql.SQLTimeoutException;
import java.sql.SQLTransactionRollbackException;
import java.sql.SQLTransientConnectionException;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class SourceFailureTest {

    /** An exception, and whether a row may be the reason: otherwise the source is not called again in parts. */
    static Stream<Arguments> kinds() {
        return Stream.of(
                Arguments.of(new SQLTransientConnectionException("13800000000"), false),
                Arguments.of(new SQLNonTransientConnectionException("13800000000"), false),
                Arguments.of(new SQLRecoverableException("13800000000"), false),
                Arguments.of(new SQLTimeoutException("13800000000"), false),
                Arguments.of(new SQLTransactionRollbackException("13800000000"), false),
                Arguments.of(new SQLSyntaxErrorException("13800000000"), false),
                Arguments.of(new SQLInvalidAuthorizationSpecException("13800000000"), false),
                Arguments.of(new SQLFeatureNotSupportedException("13800000000"), false),
                Arguments.of(new IOException("13800000000"), false),
                Arguments.of(new TimeoutException("13800000000"), false),
                Arguments.of(new InterruptedException("13800000000"), false),
                Arguments.of(new SQLDataException("13800000000", "22P02"), true),
                Arguments.of(new SQLIntegrityConstraintViolationException("13800000000"), true),
                Arguments.of(new SQLException("13800000000"), true),
                Arguments.of(new IllegalArgumentException("13800000000"), true),
                Arguments.of(new NumberFormatException("13800000000"), true));
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void theKindTellsWhetherARowMayBeTheReasonHoweverDeepItIsWrapped(Exception exception, boolean mayBeOfOneRow) {
        Exception wrapped = new IllegalStateException("wrapped", new RuntimeException("twice", exception));
        assertThat(SourceFailure.mayBeOfOneRow(exception)).isEqualTo(mayBeOfOneRow);
        assertThat(SourceFailure.mayBeOfOneRow(wrapped)).isEqualTo(mayBeOfOneRow);
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void aFailureIsNamedByItsClassesAndNeverQuoted(Exception exception, boolean unused) {
        String name = exception.getClass().getSimpleName();
        Exception wrapped = new IllegalStateException("wrapped", new RuntimeException("twice", exception));
        assertThat(SourceFailure.describe(exception)).startsWith(name).doesNotContain("13800000000");
        assertThat(SourceFailure.describe(wrapped))
                .startsWith("IllegalStateException, caused by " + name)
                .doesNotContain("13800000000");
    }

    /** The codes of PostgreSQL, MySQL, H2 and ODBC. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "08000", "08001", "08006", "08S01", "0A000", "25P02", "28000", "28P01", "3D000", "3F000", "40001",
                        "40P01",
                "42000", "42501", "42601", "42703", "42P01", "42S02", "42S22", "53100", "53300", "55P03", "57014",
                        "57P01",
                "57P03", "58030", "HYT00", "HYT01"
            })
    void anSqlStateOfTheWholeQueryMeansThatNoRowIsTheReason(String state) {
        assertThat(SourceFailure.mayBeOfOneRow(new SQLException("", state))).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"22001", "22003", "22007", "22012", "22018", "22P02", "23505", "P0001", "XX001", "HY000", "90000"
            })
    void anyOtherStateMayBeOfOneRow(String state) {
        assertThat(SourceFailure.mayBeOfOneRow(new SQLException("", state))).isTrue();
    }

    @Test
    void theStateIsNamedWhereverItStandsInTheChain() {
        SQLException sql = new SQLSyntaxErrorException("no table", "42P01");
        assertThat(SourceFailure.describe(sql)).isEqualTo("SQLSyntaxErrorException, SQLSTATE 42P01");
        assertThat(SourceFailure.describe(new IllegalStateException(sql)))
                .isEqualTo("IllegalStateException, caused by SQLSyntaxErrorException, SQLSTATE 42P01");
        assertThat(SourceFailure.describe(new UncheckedIOException(new ConnectException())))
                .isEqualTo("UncheckedIOException, caused by ConnectException");
        assertThat(SourceFailure.describe(new IllegalStateException() {})).isEqualTo("SourceFailureTest$1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "13800000000", "ann", "2P0", "22 02"})
    void whatHasNotTheFormOfAStateIsNotQuoted(String state) {
        SQLException failure = new SQLException("", state);
        assertThat(SourceFailure.describe(failure)).isEqualTo("SQLException");
        assertThat(SourceFailure.mayBeOfOneRow(failure)).isTrue();
    }

    @Test
    void aCircleOfCausesHasAnEnd() {
        class Circular extends Exception {
            private static final long serialVersionUID = 1L;
            private transient @Nullable Throwable next;

            @Override
            public synchronized @Nullable Throwable getCause() {
                return next;
            }
        }
        Circular one = new Circular();
        one.next = new IllegalStateException(one);
        assertThat(SourceFailure.mayBeOfOneRow(one)).isTrue();
        assertThat(SourceFailure.describe(one)).startsWith("SourceFailureTest$1Circular");
    }

    @Test
    void anErrorIsOfNoRow() {
        assertThat(SourceFailure.mayBeOfOneRow(new StackOverflowError())).isFalse();
    }
}
