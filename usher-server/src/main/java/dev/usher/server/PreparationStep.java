package dev.usher.server;

/**
 * A part of the server that prepares the database before the first request, when the tables are there. {@code @Order} says which step
 * comes first.
 */
public interface PreparationStep {

    /**
     * Prepares the database; called on one thread at a time. After a failure it is called again, so it does nothing where its work is
     * done already.
     *
     * @throws RuntimeException when the database cannot be prepared: the server ends, unless the database was unreachable
     */
    void prepare();
}
