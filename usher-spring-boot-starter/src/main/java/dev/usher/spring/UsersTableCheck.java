package dev.usher.spring;

import dev.usher.UserSource;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.core.NestedExceptionUtils;

/**
 * Checks the tables of all {@link JdbcUserSource} beans when the application starts, and fails the start if one cannot be read
 * as it is described.
 *
 * <p>An unreachable database does not fail the start, and delays it only briefly: its tables are checked before their first
 * load.
 */
final class UsersTableCheck implements SmartInitializingSingleton {

    private static final Logger log = LoggerFactory.getLogger(UsersTableCheck.class);
    private static final Duration PATIENCE = Duration.ofSeconds(5);

    private final ConfigurableListableBeanFactory beans;
    private final Duration patience;

    UsersTableCheck(ConfigurableListableBeanFactory beans) {
        this(beans, PATIENCE);
    }

    /** A check with another limit on the wait for the database. */
    UsersTableCheck(ConfigurableListableBeanFactory beans, Duration patience) {
        this.beans = beans;
        this.patience = patience;
    }

    @Override
    public void afterSingletonsInstantiated() {
        List<TableProbe<?>> probes = probes();
        if (!probes.isEmpty()) {
            check(probes);
        }
    }

    /** The probes of existing sources: the check creates no bean. */
    private List<TableProbe<?>> probes() {
        List<TableProbe<?>> probes = new ArrayList<>();
        for (String name : beans.getBeanNamesForType(UserSource.class, false, false)) {
            if (beans.containsSingleton(name) && beans.getBean(name) instanceof JdbcUserSource<?, ?> source) {
                probes.add(source.probe());
            }
        }
        return probes;
    }

    /** On its own thread, because the timeout of the connection pool is unknown. */
    private void check(List<TableProbe<?>> probes) {
        FutureTask<Set<String>> check = new FutureTask<>(() -> problemsOf(probes));
        Thread thread = new Thread(check, "usher-check");
        thread.setDaemon(true);
        thread.start();
        try {
            Set<String> problems = check.get(patience.toMillis(), TimeUnit.MILLISECONDS);
            if (!problems.isEmpty()) {
                throw new UnfitUsersTableException(problems);
            }
        } catch (TimeoutException e) {
            check.cancel(true);
            probes.forEach(probe -> logUnchecked(probe, "no answer for " + patience.toSeconds() + " s"));
        } catch (ExecutionException e) {
            throw new IllegalStateException("the tables of users could not be checked", e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static Set<String> problemsOf(List<TableProbe<?>> probes) {
        Set<String> problems = new LinkedHashSet<>();
        for (TableProbe<?> probe : probes) {
            try {
                probe.check();
            } catch (UnfitUsersTableException e) {
                problems.addAll(e.problems());
            } catch (RuntimeException e) {
                if (Thread.currentThread().isInterrupted()) {
                    return problems;
                }
                // Any other failure: the start fails only for a table that is known to be wrong.
                logUnchecked(
                        probe,
                        NestedExceptionUtils.getMostSpecificCause(e).getClass().getName() + TableProbe.codeOf(e));
                log.debug("The failure to check {}", probe.tableName(), e);
            }
        }
        return problems;
    }

    private static void logUnchecked(TableProbe<?> probe, String reason) {
        log.warn(
                "The table {} could not be checked at the start ({}); it is checked before its first load",
                probe.tableName(),
                reason);
    }
}
