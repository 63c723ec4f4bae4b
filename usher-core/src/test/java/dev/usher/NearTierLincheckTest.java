package dev.usher;

import dev.usher.NearTier.CachedAnswer;
import dev.usher.NearTier.Reservation;
import dev.usher.redis.Session;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.ManagedStrategyGuaranteeKt;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Options;
import org.jetbrains.lincheck.datastructures.Param;
import org.jetbrains.lincheck.datastructures.StressOptions;
import org.jetbrains.lincheck.datastructures.ThreadIdGen;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The near tier and its sessions are one machine whose steps, whatever threads take them, could have been taken one after
 * the other: Lincheck looks for a schedule in which they could not.
 *
 * <p>The steps are those of {@link TrackedReads} and {@code TrackedConnection}: a reader takes the session, reserves, and
 * publishes or gives back; an event loop forgets, hears heartbeats, and ends and begins sessions.
 *
 * <p>A reservation takes two steps: the place among existing users, then the place among absent ones. Readers that disagree can notice
 * that: two that reserve at the same moment may cache an answer each, and an invalidation between the two steps may leave the second half.
 * Neither answer is from before a change, since a read begins only after both steps. So where the user both comes and goes, only one
 * thread reads here.
 */
@Tag("thorough") // a few schedules find nothing, and many take minutes
@Timeout(value = 15, unit = TimeUnit.MINUTES) // the large budgets, on a machine that is busy with other tests
class NearTierLincheckTest {

    @ParameterizedTest
    @ValueSource(classes = {Existing.class, InSessions.class, Absent.class, ComingAndGoing.class})
    void underStress(Class<?> machine) {
        check(machine, new StressOptions().iterations(40).invocationsPerIteration(30));
    }

    @ParameterizedTest
    @ValueSource(classes = {Existing.class, InSessions.class, Absent.class, ComingAndGoing.class})
    void inChosenSchedules(Class<?> machine) {
        // The steps within Caffeine are not explored; between its calls any thread may run.
        var atomicCaffeine = ManagedStrategyGuaranteeKt.forClasses(NearTierLincheckTest::isCaffeine)
                .allMethods()
                .treatAsAtomic();
        check(
                machine,
                new ModelCheckingOptions()
                        .iterations(60)
                        .invocationsPerIteration(200)
                        .addGuarantee(atomicCaffeine));
    }

    private static <O extends Options<O, ?>> void check(Class<?> machine, O options) {
        options.threads(2)
                .actorsPerThread(4)
                .actorsBefore(2)
                .actorsAfter(2)
                .sequentialSpecification(
                        machine == InSessions.class ? OneAfterTheOtherInSessions.class : OneAfterTheOther.class)
                .check(machine);
    }

    private static boolean isCaffeine(String className) {
        return className.startsWith("com.github.benmanes.caffeine") || className.equals(ConcurrentMap.class.getName());
    }

    /**
     * The real near tier, with one id that was found absent once, so that its next absence is cached. Each thread has a slot for its
     * reservation.
     */
    @Param(name = "value", gen = IntGen.class, conf = "1:9")
    @Param(name = "thread", gen = ThreadIdGen.class)
    public abstract static class Machine {

        static final int ABSENT = -1;
        static final int NO_THREAD = 0;
        static final int THREADS = 8;

        private static final Integer ID = 42;

        final Session first = Session.tracked(System.nanoTime());
        private final NearTier<Integer, Integer> near = new NearTier<>(
                CachePolicy.builder()
                        .ttl(Duration.ofHours(1))
                        .stalenessBound(Duration.ofMinutes(10))
                        .nearSize(10)
                        .build(),
                (id, due) -> {});
        private final AtomicReferenceArray<@Nullable Reservation> reserved = new AtomicReferenceArray<>(THREADS);

        private Machine() {
            near.publish(ID, near.reserve(ID, first, NearTier.NEVER), new Entry<>(null));
        }

        @Operation
        public void giveBack(@Param(name = "thread") int thread) {
            near.publish(ID, reserved.get(thread), null);
        }

        @Operation
        public void forget() {
            near.forget(ID);
        }

        @Operation
        public @Nullable Integer find() {
            CachedAnswer<Integer> cachedAnswer = near.find(ID);
            return cachedAnswer == null ? null : cachedAnswer.answer().orElse(ABSENT);
        }

        void reservePlace(int thread) {
            reserved.set(thread, near.reserve(ID, sessionOf(thread), NearTier.NEVER));
        }

        Session sessionOf(int thread) {
            return first;
        }

        boolean publishAnswer(int thread, @Nullable Integer value) {
            return near.publish(ID, reserved.get(thread), new Entry<>(value));
        }
    }

    /** Every reader finds the user. */
    public static class Existing extends Machine {

        @Operation
        public void reserve(@Param(name = "thread") int thread) {
            reservePlace(thread);
        }

        @Operation
        public boolean publish(@Param(name = "thread") int thread, @Param(name = "value") int value) {
            return publishAnswer(thread, value);
        }
    }

    /** An answer is there; besides, sessions end and begin, and heartbeats may come late. */
    public static class InSessions extends Existing {

        private final AtomicReferenceArray<@Nullable Session> readsIn = new AtomicReferenceArray<>(THREADS);
        private volatile Session session = first;

        public InSessions() {
            reserve(NO_THREAD);
            publish(NO_THREAD, 0);
        }

        @Operation
        public void takeSession(@Param(name = "thread") int thread) {
            readsIn.set(thread, session);
        }

        @Override
        Session sessionOf(int thread) {
            Session taken = readsIn.get(thread);
            return taken == null ? first : taken;
        }

        @Operation
        public void beat() {
            session.seenUpTo(System.nanoTime());
        }

        @Operation(nonParallelGroup = "event loop")
        public void endSession() {
            session.end();
        }

        @Operation(nonParallelGroup = "event loop")
        public void beginSession() {
            session = Session.tracked(System.nanoTime());
        }
    }

    /** No reader finds the user. */
    public static class Absent extends Machine {

        @Operation
        public void reserve(@Param(name = "thread") int thread) {
            reservePlace(thread);
        }

        @Operation
        public boolean publishAbsence(@Param(name = "thread") int thread) {
            return publishAnswer(thread, null);
        }
    }

    /** One reader finds the user at one time and not at another, while other threads only make changes. */
    public static class ComingAndGoing extends Machine {

        @Operation(nonParallelGroup = "reader")
        public void reserve(@Param(name = "thread") int thread) {
            reservePlace(thread);
        }

        @Operation(nonParallelGroup = "reader")
        public boolean publish(@Param(name = "thread") int thread, @Param(name = "value") int value) {
            return publishAnswer(thread, value);
        }

        @Operation(nonParallelGroup = "reader")
        public boolean publishAbsence(@Param(name = "thread") int thread) {
            return publishAnswer(thread, null);
        }

        @Override
        @Operation(nonParallelGroup = "reader")
        public void giveBack(@Param(name = "thread") int thread) {
            super.giveBack(thread);
        }

        @Override
        @Operation(nonParallelGroup = "reader")
        public @Nullable Integer find() {
            return super.find();
        }
    }

    /** The sequential specification: one place, and numbered sessions. */
    public static class OneAfterTheOther {

        private final Map<Integer, Integer> readsIn = new HashMap<>();
        private final Map<Integer, Stay> reserved = new HashMap<>();
        private final Set<Integer> ended = new HashSet<>();
        private int session;
        private @Nullable Stay place;

        /** The state of one reader, from its reservation on. */
        private static final class Stay {

            private final int session;
            private final @Nullable Stay before;
            private @Nullable Integer answer;

            private Stay(int session, @Nullable Stay before) {
                this.session = session;
                this.before = before;
            }
        }

        public void takeSession(int thread) {
            readsIn.put(thread, session);
        }

        public void reserve(int thread) {
            Stay before = place == null || place.answer != null ? place : place.before;
            place = new Stay(readsIn.getOrDefault(thread, 0), before);
            reserved.put(thread, place);
        }

        public boolean publish(int thread, int value) {
            Stay mine = standing(thread);
            if (mine == null) {
                return false;
            }
            mine.answer = value;
            return true;
        }

        public boolean publishAbsence(int thread) {
            return publish(thread, Machine.ABSENT);
        }

        public void giveBack(int thread) {
            Stay mine = standing(thread);
            if (mine != null) {
                place = mine.before;
            }
        }

        private @Nullable Stay standing(int thread) {
            Stay mine = reserved.get(thread);
            return mine != null && mine == place && mine.answer == null ? mine : null;
        }

        public void forget() {
            place = null;
        }

        /** Ignores heartbeats of a session that has ended; here no session grows old. */
        public void beat() {}

        public void endSession() {
            ended.add(session);
        }

        public void beginSession() {
            session++;
        }

        public @Nullable Integer find() {
            return place == null || ended.contains(place.session) ? null : place.answer;
        }
    }

    /** The same, when an answer is there already. */
    public static class OneAfterTheOtherInSessions extends OneAfterTheOther {

        public OneAfterTheOtherInSessions() {
            reserve(Machine.NO_THREAD);
            publish(Machine.NO_THREAD, 0);
        }
    }
}
