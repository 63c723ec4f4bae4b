package dev.usher.benchmarks;

/** The measured caches: usher, the limits of memory and of Redis, and what people would use instead. */
enum Peer {
    /** usher with both tiers. */
    USHER("usher", Tiers.BOTH),
    /** usher with its near tier turned off, so that every answer comes from Redis. */
    USHER_SHARED("usher, shared tier only", Tiers.SHARED),
    /** Caffeine alone: the limit of what memory can do, on one node. */
    CAFFEINE("raw Caffeine", Tiers.NEAR),
    /** Caffeine set up like usher's near tier: its maintenance runs on the thread that writes. */
    CAFFEINE_ALIKE("raw Caffeine, set up alike", Tiers.NEAR),
    /** The same with entries that end, as those of usher do: a read looks at the clock. */
    CAFFEINE_TTL("raw Caffeine, set up alike, with a TTL", Tiers.NEAR),
    /** {@code GET} and {@code MGET} with Lettuce: the limit of what Redis can do. */
    LETTUCE("raw Lettuce", Tiers.SHARED),
    /** The same over a connection whose reads Redis tracks, as it does those of usher. */
    LETTUCE_TRACKED("raw Lettuce, tracked", Tiers.SHARED),
    /** The specification's own logic, line by line. */
    SPECIFICATION("the specification", Tiers.SHARED),
    /** JetCache, in Redis. */
    JETCACHE_REMOTE("JetCache, remote", Tiers.SHARED),
    /** JetCache, in memory and in Redis. */
    JETCACHE_BOTH("JetCache, both", Tiers.BOTH),
    /** Redisson's {@code RMapCache}. */
    REDISSON_MAP("Redisson RMapCache", Tiers.SHARED),
    /** Redisson's {@code RLocalCachedMap}. */
    REDISSON_LOCAL("Redisson RLocalCachedMap", Tiers.BOTH),
    /** Spring's cache abstraction over Caffeine. */
    SPRING_CAFFEINE("Spring Cache, Caffeine", Tiers.NEAR),
    /** Spring's cache abstraction over Spring Data Redis, without locks. */
    SPRING_REDIS("Spring Cache, Redis", Tiers.SHARED),
    /** Spring's cache abstraction over Spring Data Redis, with its lock. */
    SPRING_REDIS_LOCKING("Spring Cache, Redis, locking", Tiers.SHARED);

    /** Where a contender caches. */
    private enum Tiers {
        NEAR,
        SHARED,
        BOTH
    }

    private final String title;
    private final Tiers tiers;

    Peer(String title, Tiers tiers) {
        this.title = title;
        this.tiers = tiers;
    }

    /** Its name in tables. */
    String title() {
        return title;
    }

    /** Whether it caches in the memory of its process. */
    boolean isNear() {
        return tiers != Tiers.SHARED;
    }

    /** Whether it caches in Redis. */
    boolean isShared() {
        return tiers != Tiers.NEAR;
    }

    /** Whether it belongs to usher. */
    boolean isUsher() {
        return this == USHER || this == USHER_SHARED;
    }

    /** Whether it is a part of usher without usher: it is compared with that part, and has no row of work of its own. */
    boolean isAlike() {
        return this == CAFFEINE_ALIKE || this == CAFFEINE_TTL || this == LETTUCE_TRACKED;
    }

    /** Opens one node of it. */
    Contender open(Site site) {
        return switch (this) {
            case USHER -> UsherContender.both(site);
            case USHER_SHARED -> UsherContender.shared(site);
            case CAFFEINE -> CaffeineContender.withDefaults(site);
            case CAFFEINE_ALIKE -> CaffeineContender.alike(site);
            case CAFFEINE_TTL -> CaffeineContender.alikeWithTtl(site);
            case LETTUCE -> LettuceContender.plain(site);
            case LETTUCE_TRACKED -> LettuceContender.tracked(site);
            case SPECIFICATION -> new SpecificationContender(site);
            case JETCACHE_REMOTE -> JetCacheContender.remote(site);
            case JETCACHE_BOTH -> JetCacheContender.both(site);
            case REDISSON_MAP -> new RedissonMapContender(site);
            case REDISSON_LOCAL -> new RedissonLocalContender(site);
            case SPRING_CAFFEINE -> SpringContender.caffeine(site);
            case SPRING_REDIS -> SpringContender.redis(site);
            case SPRING_REDIS_LOCKING -> SpringContender.lockingRedis(site);
        };
    }
}
