package dev.usher.server.cli;

/**
 * Who has answered so far.
 *
 * @param sharedHits look-ups that Redis answered
 * @param sourceAnswers look-ups that the database answered
 * @param statements SQL statements sent
 */
record Tally(long sharedHits, long sourceAnswers, long statements) {

    Tally since(Tally earlier) {
        return new Tally(
                sharedHits - earlier.sharedHits,
                sourceAnswers - earlier.sourceAnswers,
                statements - earlier.statements);
    }

    Tally plus(Tally other) {
        return new Tally(
                sharedHits + other.sharedHits, sourceAnswers + other.sourceAnswers, statements + other.statements);
    }
}
