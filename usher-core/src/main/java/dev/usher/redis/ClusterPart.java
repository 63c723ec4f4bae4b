package dev.usher.redis;

import java.time.Duration;
import java.util.BitSet;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** What a primary knows of the Cluster that it is a part of. Thread-safe; nothing waits. */
interface ClusterPart {

    /** Where it is. That of the primary with the register may change: connections are then made anew. {@code null} while it is not known. */
    @Nullable ServerAddress address();

    /** Which servers could take its place: its replicas, by a majority of the primaries, of which each says that it still is a primary. Never failed. */
    CompletionStage<Candidates> candidates();

    /** The slots that it has, as far as the others say. */
    BitSet slots();

    /** The id of its server. */
    String id();

    /** Something was not where it should be: the Cluster is asked anew, soon. */
    void changed();

    /** The primary has been seen without slots that it had: what it says of them may be without what another one has confirmed meanwhile. */
    void lost(BitSet slots);

    /** How long a primary that has been replaced may go on taking writes, and so be believed. */
    Duration lag();

    /** The register of all nodes. */
    NodeRegister register();
}
