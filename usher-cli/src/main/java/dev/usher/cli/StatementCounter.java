package dev.usher.cli;

import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import javax.sql.DataSource;
import net.ttddyy.dsproxy.ExecutionInfo;
import net.ttddyy.dsproxy.QueryInfo;
import net.ttddyy.dsproxy.listener.NoOpQueryExecutionListener;
import net.ttddyy.dsproxy.support.ProxyDataSourceBuilder;
import org.springframework.beans.factory.config.BeanPostProcessor;

/** Counts the SQL statements that a server sends to its database for its callers, at the data source. */
final class StatementCounter implements BeanPostProcessor {

    private final LongAdder statements = new LongAdder();

    long count() {
        return statements.sum();
    }

    @Override
    public Object postProcessAfterInitialization(Object bean, String name) {
        if (!(bean instanceof DataSource dataSource)) {
            return bean;
        }
        return ProxyDataSourceBuilder.create(dataSource)
                .listener(new NoOpQueryExecutionListener() {
                    @Override
                    public void beforeQuery(ExecutionInfo execution, List<QueryInfo> queries) {
                        // The signing keys are read every few seconds, without a caller.
                        statements.add(queries.stream()
                                .filter(query -> !query.getQuery().contains("signing_keys"))
                                .count());
                    }
                })
                .build();
    }
}
