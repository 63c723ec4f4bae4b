package dev.usher.sample;

import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import java.util.stream.Stream;

/** A Redis and a PostgreSQL for one application, which end with it. */
record LocalServers(RedisServer redis, PostgresServer postgres) implements AutoCloseable {

    static LocalServers start() {
        return new LocalServers(RedisServer.start(), PostgresServer.start());
    }

    /** The addresses of the servers, as arguments of a Spring Boot application. */
    String[] arguments(String... more) {
        return Stream.concat(
                        Stream.of(
                                "--spring.data.redis.url=" + redis.uri(),
                                "--spring.datasource.url=" + postgres.createDatabase("sample"),
                                "--spring.datasource.username=" + postgres.username(),
                                "--spring.datasource.password=" + postgres.password()),
                        Stream.of(more))
                .toArray(String[]::new);
    }

    @Override
    public void close() {
        postgres.close();
        redis.close();
    }
}
