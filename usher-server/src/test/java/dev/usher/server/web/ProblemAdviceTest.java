package dev.usher.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.usher.server.user.BusyException;
import java.io.IOException;
import java.net.ConnectException;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.LoggerFactory;
import org.springframework.dao.DataAccessResourceFailureException;
import org.springframework.dao.QueryTimeoutException;
import org.springframework.jdbc.CannotGetJdbcConnectionException;

/** A hundred requests that meet the same fault log one line. */
class ProblemAdviceTest {

    private static final String REST = " Answered 503; see spring.datasource.*";

    private final ProblemAdvice advice = new ProblemAdvice();

    record Row(String line, Exception fault) {}

    static Stream<Row> rows() {
        return Stream.of(
                new Row("Answered 503: too many passwords are being hashed or compared", new BusyException()),
                new Row(
                        "The database fails: DataAccessResourceFailureException (SQLSTATE none): away." + REST,
                        new DataAccessResourceFailureException("away")),
                new Row(
                        "The database fails: QueryTimeoutException (SQLSTATE none): slow." + REST,
                        new QueryTimeoutException("slow")),
                new Row(
                        "The database fails: ConnectException (SQLSTATE 08001): refused." + REST,
                        new CannotGetJdbcConnectionException("away", refused())),
                new Row(
                        "The database fails: SQLException (SQLSTATE 57P03): starting." + REST,
                        new CannotGetJdbcConnectionException("away", new SQLException("starting\nDetail", "57P03"))),
                new Row("Answered 500", new IllegalStateException("broken")),
                new Row("Answered 500", new IOException("broken")));
    }

    private static SQLException refused() {
        return new SQLTransientConnectionException(
                "no connection", new SQLException("refused", "08001", new ConnectException("refused by the system")));
    }

    @ParameterizedTest
    @MethodSource("rows")
    void aFaultThatEachRequestMeetsIsSaidOnce(Row row) {
        ListAppender<ILoggingEvent> lines = linesOf(() -> {
            for (int i = 0; i < 100; i++) {
                meet(row.fault);
            }
        });

        assertThat(lines.list)
                .singleElement()
                .satisfies(line -> assertThat(line.getFormattedMessage()).isEqualTo(row.line));
    }

    @Test
    void oneFaultDoesNotHideAnother() {
        ListAppender<ILoggingEvent> lines = linesOf(() -> {
            for (int i = 0; i < 100; i++) {
                rows().forEach(row -> meet(row.fault));
            }
        });

        assertThat(lines.list).hasSize((int) rows().count());
        assertThat(lines.list)
                .filteredOn(line -> line.getFormattedMessage().equals("Answered 500"))
                .extracting(line -> line.getThrowableProxy().getClassName())
                .containsExactlyInAnyOrder(IllegalStateException.class.getName(), IOException.class.getName());
    }

    private void meet(Exception fault) {
        if (fault instanceof BusyException busy) {
            var unused = advice.handleUnavailable(busy);
        } else if (fault instanceof RuntimeException known && !(fault instanceof IllegalStateException)) {
            var unused = advice.handleFailureOfDatabase(known);
        } else {
            var unused = advice.handleUnexpected(fault);
        }
    }

    private static ListAppender<ILoggingEvent> linesOf(Runnable action) {
        Logger logger = (Logger) LoggerFactory.getLogger(ProblemAdvice.class.getPackageName());
        ListAppender<ILoggingEvent> lines = new ListAppender<>();
        lines.start();
        logger.addAppender(lines);
        try {
            action.run();
        } finally {
            logger.detachAppender(lines);
        }
        return lines;
    }
}
