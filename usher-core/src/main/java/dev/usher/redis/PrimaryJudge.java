package dev.usher.redis;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * Decides whether the server that this node is connected to is the primary. It is asked with every heartbeat, and a watermark is never newer than the
 * asking of its last yes.
 */
interface PrimaryJudge {

    /** Of a server that is known by its own address: no other can be the primary. */
    PrimaryJudge OWN_ADDRESS = new PrimaryJudge() {
        @Override
        public CompletionStage<Boolean> ask() {
            return CompletableFuture.completedStage(true);
        }

        @Override
        public long notAfter(long moment) {
            return moment;
        }

        @Override
        public CompletionStage<Candidates> askCandidates(Replication written) {
            return CompletableFuture.completedStage(
                    written.isAlone()
                            ? Candidates.NONE
                            : Candidates.unknown(
                                    "Redis has replicas, or had some within the last hour, and is not reached by"
                                            + " Sentinels: nothing tells a node that one of them has taken its place"));
        }

        @Override
        public void connectionsChanged() {}
    };

    /**
     * Asks whether all connections of this node to Redis lead to the primary.
     *
     * @return completed, and never failed, when the answer is known: within the command timeout, on any thread
     */
    CompletionStage<Boolean> ask();

    /**
     * The older of a moment and of the asking of the last yes.
     *
     * @param moment of {@link System#nanoTime()}
     */
    long notAfter(long moment);

    /**
     * Asks which servers could take the place of this primary. To be asked when a write has been acknowledged: one that has taken its place before has not
     * acknowledged it, or is named here.
     *
     * @param written the replication of the server that has taken the write
     * @return completed, and never failed, within the command timeout, except for the first attempt to connect; on any thread
     */
    CompletionStage<Candidates> askCandidates(Replication written);

    /** A connection was lost or made: the last yes was one for the connections before, and counts no more. */
    void connectionsChanged();
}
