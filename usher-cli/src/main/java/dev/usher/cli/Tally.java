package dev.usher.cli;

/**
 * How many look-ups each tier has answered so far.
 *
 * @param nearHits look-ups that the server answered from its memory
 * @param sharedHits look-ups that Redis answered
 * @param sourceAnswers look-ups that the database answered
 * @param statements SQL statements sent
 */
record Tally(long nearHits, long sharedHits, long sourceAnswers, long statements) {

    Tally since(Tally earlier) {
        return new Tally(
                nearHits - earlier.nearHits,
                sharedHits - earlier.sharedHits,
                sourceAnswers - earlier.sourceAnswers,
                statements - earlier.statements);
    }

    Tally plus(Tally other) {
        return new Tally(
                nearHits + other.nearHits,
                sharedHits + other.sharedHits,
                sourceAnswers + other.sourceAnswers,
                statements + other.statements);
    }
}
