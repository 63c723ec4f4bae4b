package dev.usher.cli;

import dev.usher.server.PreparationStep;
import org.springframework.jdbc.core.simple.JdbcClient;

/** The publication that the relay needs, in the embedded PostgreSQL, which is usher's own. In a database that is named, an operator makes it. */
final class EmbeddedPublication implements PreparationStep {

    static final String NAME = "usher";

    private final JdbcClient jdbc;

    EmbeddedPublication(JdbcClient jdbc) {
        this.jdbc = jdbc;
    }

    /** The server has made the tables before. */
    @Override
    public void prepare() {
        jdbc.sql("DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_publication WHERE pubname = '" + NAME + "') THEN"
                        + " CREATE PUBLICATION " + NAME + " FOR TABLE users; END IF; END $$")
                .update();
    }
}
