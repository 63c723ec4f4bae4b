package dev.usher.benchmarks;

/** The rows of work, in the order of the report. */
enum Row {
    NEAR_HITS(1),
    SHARED_HITS(2),
    MANY_USERS(3),
    STAMPEDES(4),
    LOGINS(5),
    CHANGES(6),
    REDIS_FAILURES(7),
    ROOM(8),
    SERVER(9),
    GROWTH(10),
    MISSES(11);

    private final int number;

    Row(int number) {
        this.number = number;
    }

    int number() {
        return number;
    }

    /** How it is measured. */
    Measurement measurement() {
        return switch (this) {
            case NEAR_HITS -> new NearHits();
            case SHARED_HITS -> new SharedHits();
            case MANY_USERS -> new ManyUsers();
            case STAMPEDES -> new Stampede();
            case LOGINS -> new Logins();
            case CHANGES -> new Changes();
            case REDIS_FAILURES -> new RedisFailures();
            case ROOM -> new Memory();
            case SERVER -> new ServerCalls();
            case GROWTH -> new Growth();
            case MISSES -> new Misses();
        };
    }
}
