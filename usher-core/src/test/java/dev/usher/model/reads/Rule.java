package dev.usher.model.reads;

/** The rules of usher that this model knows, each of which can be taken out. */
enum Rule {
    /** What Redis has said is believed if the node believes Redis when the answer has come, not only when it asked. */
    A_READ_IS_BELIEVED_WHEN_IT_COMES,

    /** The same of a value that a claim has found. */
    A_CLAIM_IS_BELIEVED_WHEN_IT_COMES,

    /** The same of a fill: only then has what was loaded still been true. */
    A_FILL_IS_BELIEVED_WHEN_IT_COMES,

    /** Memory answers with what was read in its session; without, in the session in which it is cached. */
    MEMORY_IS_OF_THE_SESSION_OF_THE_READ,

    /** Memory reserves a place before it reads, and a change empties it; without, what was read is cached in any case. */
    A_PLACE_IS_RESERVED_BEFORE_THE_READ,

    /** What the node does not believe is not cached either. */
    THE_UNBELIEVED_IS_NOT_CACHED,

    /** A node that sees a number forgets what it has in memory. */
    REVOKED_USERS_ARE_FORGOTTEN,

    /** A node that sees a number lets no caller join a load that has begun before. */
    REVOKED_LOADS_ARE_NOT_JOINED,

    /** A caller that joins a load is answered by a step of it that begins later. */
    A_WAITER_NEEDS_A_LATER_STEP,

    /** A user whose number was seen is in quarantine: Redis is not believed. */
    NAMES_ARE_IN_QUARANTINE,

    /** A node whose watermark is older than the bound asks the source. */
    THE_UNPROVEN_ASKS_THE_SOURCE,

    /** A claim is renewed only while the guard holds it. */
    A_RENEWAL_NEEDS_THE_CLAIM,

    /** A fill is accepted only while the guard holds the claim. */
    A_FILL_NEEDS_THE_CLAIM,

    /** A fence takes the guard from a claim. */
    A_FENCE_TAKES_THE_GUARD,

    /** A ban is confirmed when the replica has it. */
    REPLICAS_ACKNOWLEDGE
}
