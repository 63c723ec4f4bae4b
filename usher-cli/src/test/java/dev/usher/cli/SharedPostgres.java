package dev.usher.cli;

import dev.usher.testkit.PostgresServer;

/** The PostgreSQL that the tests of the command line share, each with databases of its own: stopped with the JVM. */
final class SharedPostgres {

    static final PostgresServer POSTGRES = PostgresServer.start();

    private SharedPostgres() {}
}
