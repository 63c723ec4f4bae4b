package dev.usher.spring;

import dev.usher.testkit.PostgresServer;

/** The PostgreSQL that tests share, each with its own database. It ends with the JVM. */
final class SharedPostgres {

    static final PostgresServer POSTGRES = PostgresServer.start();

    private SharedPostgres() {}
}
