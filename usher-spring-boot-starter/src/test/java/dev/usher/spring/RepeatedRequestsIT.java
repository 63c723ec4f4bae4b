package dev.usher.spring;

import static dev.usher.spring.SiteApplication.CARL;
import static dev.usher.spring.SiteApplication.DORA;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.usher.UserCaches;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.LoggerFactory;
import org.springframework.transaction.support.TransactionSynchronizationManager;
import org.springframework.transaction.support.TransactionSynchronizationUtils;

/** Twenty requests or transactions with the same fault log one line. */
class RepeatedRequestsIT {

    private static final int CALLS = 20;

    record Row(String name, String line, Consumer<Site> calls) {

        @Override
        public String toString() {
            return name;
        }
    }

    /** The start of an application reinitializes the log, so the shared one is started first. */
    private final Site site = Site.Shared.SITE;

    static Stream<Row> rows() {
        return Stream.of(
                new Row("the gate without a status", "Answered 503", site -> request(site, "/secret", CARL)),
                new Row("a controller without a profile", "Answered 503", site -> request(site, "/me", DORA)),
                new Row("a ban that no node confirms", "is not confirmed by every node yet", site -> ban()),
                new Row("an announcement that fails", "could not be announced", site -> failAnnouncing()));
    }

    /** Another test may have logged the same fault a moment ago. */
    @ParameterizedTest
    @MethodSource("rows")
    void aFaultThatEachCallMeetsIsSaidOnce(Row row) {
        Logger logger = (Logger) LoggerFactory.getLogger("dev.usher.spring");
        ListAppender<ILoggingEvent> lines = new ListAppender<>();
        lines.start();
        logger.addAppender(lines);
        try {
            row.calls.accept(site);
        } finally {
            logger.detachAppender(lines);
        }

        assertThat(lines.list)
                .extracting(ILoggingEvent::getFormattedMessage)
                .filteredOn(line -> line.contains(row.line))
                .hasSizeLessThanOrEqualTo(1);
    }

    private static void request(Site site, String path, long user) {
        for (int i = 0; i < CALLS; i++) {
            site.get(path, Long.toString(user)).isUnavailable();
        }
    }

    private static void ban() {
        UserSource<Long, UserStatus> source = ids -> Map.of();
        // Without Redis, no receipt is confirmed.
        try (UserCaches caches =
                UserCaches.builder().redis("redis://127.0.0.1:1").build()) {
            var statuses = new TransactionAwareUserCache<>(caches.cache(UserStatus.FACET, Long.class, source), source);
            for (long id = 1; id <= CALLS; id++) {
                long user = id;
                inTransaction(
                        () -> assertThat(statuses.revoke(user).confirmed()).isFalse());
            }
        }
    }

    private static void failAnnouncing() {
        for (int i = 0; i < CALLS; i++) {
            inTransaction(() -> {
                var unused = EndOfTransaction.ofThisThread().announcementOf(new Object(), () -> () -> {
                    throw new LinkageError("of a driver");
                });
            });
        }
    }

    private static void inTransaction(Runnable work) {
        TransactionSynchronizationManager.initSynchronization();
        TransactionSynchronizationManager.setActualTransactionActive(true);
        try {
            EndOfTransaction.ofNewTransaction();
            work.run();
            TransactionSynchronizationUtils.triggerAfterCommit();
        } finally {
            TransactionSynchronizationManager.clear();
        }
    }
}
