package dev.usher.redis;

import static dev.usher.redis.GuardModel.Chance.A_CLAIM_IS_GIVEN_UP;
import static dev.usher.redis.GuardModel.Chance.A_CLAIM_IS_RENEWED;
import static dev.usher.redis.GuardModel.Chance.A_FENCE_PASSES;
import static dev.usher.redis.GuardModel.Chance.A_FILL_IS_LOST;
import static dev.usher.redis.GuardModel.Chance.A_LEASE_PASSES;
import static dev.usher.redis.GuardModel.Chance.THE_GUARD_IS_EVICTED;
import static dev.usher.redis.GuardModel.Chance.THE_VALUE_IS_EVICTED;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.redis.GuardModel.Call;
import dev.usher.redis.GuardModel.Chance;
import dev.usher.redis.GuardModel.Fault;
import dev.usher.redis.GuardModel.Finding;
import dev.usher.redis.GuardModel.Guard;
import dev.usher.redis.GuardModel.Outcome;
import dev.usher.redis.GuardModel.Participant;
import dev.usher.redis.GuardModel.Stored;
import io.lettuce.core.LettuceFutures;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.SetArgs;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The guard protocol, explored exhaustively over the real scripts: no interleaving leaves an old value behind, and without
 * any one of the rules some interleaving leaves one.
 */
@Tag("servers")
class GuardInterleavingsIT {

    private static final List<Stored> ANYTHING = List.of(Stored.NOTHING, Stored.A_VALUE);
    private static final List<Participant> WITHOUT_REFRESH = List.of(
            Participant.READER_0, Participant.READER_1, Participant.LOGIN, Participant.WRITER_0, Participant.WRITER_1);
    private static final List<Participant> WITH_TWO_WRITERS = List.of(
            Participant.READER_0,
            Participant.REFRESHER_0,
            Participant.REFRESHER_1,
            Participant.LOGIN,
            Participant.WRITER_0,
            Participant.WRITER_1);
    private static final List<Participant> WITH_REFRESH = List.of(
            Participant.READER_0,
            Participant.REFRESHER_0,
            Participant.REFRESHER_1,
            Participant.LOGIN,
            Participant.WRITER_0);
    private static final List<Participant> WITH_A_CALLER = List.of(
            Participant.READER_0, Participant.READER_1, Participant.CALLER, Participant.WRITER_0, Participant.WRITER_1);
    private static final Scripts AS_THEY_ARE = new Scripts();
    private static final Map<Exploration, Finding> EXPLORED = new HashMap<>();
    private static final String REPLACES = "if value ~= replaced then return 0 end";

    /** A scenario to explore. */
    private record Exploration(List<Stored> starts, List<Participant> participant, Map<Chance, Integer> chances) {}

    private static TestRedis testRedis;
    private static RedisClient client;

    /** Keys of one server, as many as have been needed. */
    private static final List<String> KEYS = new ArrayList<>();

    private static long users;
    private static StatefulRedisConnection<String, String> connection;

    @BeforeAll
    static void start() {
        testRedis = TestRedis.start();
        client = RedisClient.create(testRedis.servers().get(0).uri());
        connection = client.connect();
    }

    @AfterAll
    static void stop() {
        client.shutdown();
        testRedis.close();
    }

    @Test
    void noInterleavingLeavesAnOldValueBehind() throws Exception {
        assertNoOldValue(WITHOUT_REFRESH, Map.of(A_LEASE_PASSES, 2, A_FENCE_PASSES, 1, THE_VALUE_IS_EVICTED, 1));
    }

    /**
     * The claimant has answered its own caller with the row, or that there is none. Its fill is sent, executed and answered at any later
     * time, or never: after a fence, the end of the claim, another's claim. A caller that comes after the query is answered only by a fill
     * that is sent later, and accepted.
     */
    @Test
    void noFillThatNoThreadWaitsForLeavesAnOldValueBehindOrAnswersACallerWithOne() throws Exception {
        assertNoOldValue(
                WITH_A_CALLER,
                Map.of(
                        A_LEASE_PASSES,
                        2,
                        A_FENCE_PASSES,
                        1,
                        THE_VALUE_IS_EVICTED,
                        1,
                        A_CLAIM_IS_RENEWED,
                        1,
                        A_FILL_IS_LOST,
                        1));
    }

    @Test
    void aCallerThatIsAnsweredWithoutTheFillMissesAChange() throws Exception {
        assertOldValue(AS_THEY_ARE, Fault.ANSWER_WITHOUT_THE_FILL, WITH_A_CALLER, Map.of());
    }

    /** Redis may have executed it before the change that the caller knows of. */
    @Test
    void aCallerThatIsAnsweredByAFillFromBeforeItCameMissesAChange() throws Exception {
        assertOldValue(AS_THEY_ARE, Fault.ANSWER_BY_A_FILL_UNDER_WAY, WITH_A_CALLER, Map.of());
    }

    @Test
    void aCallerThatIsAnsweredByARefusedFillMissesAChange() throws Exception {
        assertOldValue(AS_THEY_ARE, Fault.ANSWER_BY_A_REFUSED_FILL, WITH_A_CALLER, Map.of());
    }

    @Test
    @Tag("thorough")
    void noRefreshLeavesAnOldValueBehind() throws Exception {
        assertNoOldValue(WITH_TWO_WRITERS, Map.of(A_LEASE_PASSES, 2, A_FENCE_PASSES, 1, THE_VALUE_IS_EVICTED, 1));
    }

    @Test
    void noRenewalHelpsAnOldValueToStay() throws Exception {
        assertNoOldValue(
                WITHOUT_REFRESH,
                Map.of(A_LEASE_PASSES, 1, A_FENCE_PASSES, 1, THE_VALUE_IS_EVICTED, 1, A_CLAIM_IS_RENEWED, 1));
    }

    @Test
    void noRefreshThatIsRenewedOrGivenUpHelpsAnOldValueToStay() throws Exception {
        assertNoOldValue(
                List.of(
                        Participant.READER_0,
                        Participant.REFRESHER_0,
                        Participant.LOGIN,
                        Participant.WRITER_0,
                        Participant.WRITER_1),
                Map.of(
                        A_LEASE_PASSES,
                        1,
                        A_FENCE_PASSES,
                        1,
                        THE_VALUE_IS_EVICTED,
                        1,
                        A_CLAIM_IS_RENEWED,
                        1,
                        A_CLAIM_IS_GIVEN_UP,
                        1));
    }

    @Test
    void readersAndWritersAreSafeEvenWhenGuardsAreLost() throws Exception {
        assertNoOldValue(
                List.of(Participant.READER_0, Participant.READER_1, Participant.WRITER_0, Participant.WRITER_1),
                Map.of(A_LEASE_PASSES, 2, A_FENCE_PASSES, 1, THE_VALUE_IS_EVICTED, 1, THE_GUARD_IS_EVICTED, 2));
    }

    @Test
    void refreshersAreSafeEvenWhenGuardsAreLost() throws Exception {
        assertNoOldValue(
                List.of(
                        Participant.READER_0,
                        Participant.REFRESHER_0,
                        Participant.REFRESHER_1,
                        Participant.WRITER_0,
                        Participant.WRITER_1),
                Map.of(A_LEASE_PASSES, 1, A_FENCE_PASSES, 1, THE_VALUE_IS_EVICTED, 1, THE_GUARD_IS_EVICTED, 1));
    }

    @Test
    void whatAForeignServiceSetsAfterItsChangeIsNotUndone() throws Exception {
        assertNoOldValue(
                List.of(
                        Participant.READER_0,
                        Participant.REFRESHER_0,
                        Participant.REFRESHER_1,
                        Participant.LOGIN,
                        Participant.FOREIGN_SETTER),
                Map.of(A_LEASE_PASSES, 2, A_FENCE_PASSES, 1));
    }

    @Test
    void aRefreshDoesNotUndoWhatAForeignServiceHasSetEvenIfThatIsEvicted() throws Exception {
        assertNoOldValue(
                List.of(Stored.A_VALUE),
                List.of(Participant.REFRESHER_0, Participant.REFRESHER_1, Participant.FOREIGN_SETTER),
                Map.of(A_LEASE_PASSES, 2, A_FENCE_PASSES, 1, THE_VALUE_IS_EVICTED, 1, THE_GUARD_IS_EVICTED, 1));
    }

    @Test
    void aRefreshDoesNotUndoAForeignDeletion() throws Exception {
        assertNoOldValue(
                List.of(Stored.A_VALUE),
                List.of(
                        Participant.READER_0,
                        Participant.READER_1,
                        Participant.REFRESHER_0,
                        Participant.REFRESHER_1,
                        Participant.FOREIGN_DELETER),
                Map.of(A_LEASE_PASSES, 2, A_FENCE_PASSES, 1));
    }

    @Test
    void theKnownHoleIsAGuardEvictedWhileALoginIsUnderWay() throws Exception {
        assertThat(explore(AS_THEY_ARE, Fault.NONE, WITHOUT_REFRESH, Map.of(THE_GUARD_IS_EVICTED, 1))
                        .story())
                .contains("THE_GUARD_IS_EVICTED", "LOGIN OFFER 1");
    }

    @Test
    void aKnownHoleIsAForeignDeletionOfWhatIsMissingAlready() throws Exception {
        assertThat(explore(
                                AS_THEY_ARE,
                                Fault.NONE,
                                List.of(Participant.READER_0, Participant.FOREIGN_DELETER),
                                Map.of())
                        .story())
                .endsWith("FOREIGN_DELETER DELETE 2", "READER_0 FILL 1");
    }

    @Test
    void withoutRule1AReadFromBeforeTheClaimIsStored() throws Exception {
        assertOldValue(new Scripts(), Fault.READ_BEFORE_CLAIM, WITHOUT_REFRESH, Map.of(A_LEASE_PASSES, 1));
    }

    @Test
    void withoutRule1AReadFromBeforeTheRefreshIsStored() throws Exception {
        assertOldValue(new Scripts(), Fault.READ_BEFORE_REFRESH, WITH_REFRESH, Map.of());
    }

    @Test
    void withoutRule2TheSlowerOfTwoWritersWins() throws Exception {
        assertOldValue(new Scripts(), Fault.SET_INSTEAD_OF_FENCE, WITHOUT_REFRESH, Map.of());
    }

    @Test
    void withoutRule3AnExpiredClaimHidesTheFenceItReplaced() throws Exception {
        Scripts scripts = new Scripts();
        scripts.claim = without(scripts.claim, "'PX', millis + fence", "'PX', millis");
        scripts.claim = without(scripts.claim, "'%.0f', millis + fence", "'%.0f', millis");
        assertOldValue(scripts, Fault.NONE, WITHOUT_REFRESH, Map.of(A_LEASE_PASSES, 1));
    }

    @Test
    void withoutRule3AnExpiredRefreshHidesTheFenceItReplaced() throws Exception {
        Scripts scripts = new Scripts();
        scripts.refresh = without(scripts.refresh, "'PX', millis + fence", "'PX', millis");
        assertOldValue(scripts, Fault.NONE, WITH_REFRESH, Map.of(A_LEASE_PASSES, 1, THE_VALUE_IS_EVICTED, 1));
    }

    @Test
    void withoutRule4AFilledAndEvictedEntryTakesAnOldOffer() throws Exception {
        Scripts scripts = new Scripts();
        scripts.fill =
                without(scripts.fill, "redis.call('SET', guard, FENCE, 'PX', fence)", "redis.call('DEL', guard)");
        assertOldValue(scripts, Fault.NONE, WITHOUT_REFRESH, Map.of(THE_VALUE_IS_EVICTED, 1));
    }

    @Test
    void anAbsenceThatLeavesNoGuardWhereThereWasOneHidesTheFenceItReplaced() throws Exception {
        Scripts scripts = new Scripts();
        scripts.absent = without(scripts.absent, "if ARGV[5] == 'FREE' then", "if true then");
        assertOldValue(scripts, Fault.NONE, WITHOUT_REFRESH, Map.of());
    }

    @Test
    void aClaimThatTakesAFenceForNothingHidesIt() throws Exception {
        Scripts scripts = new Scripts();
        scripts.claim = without(scripts.claim, ", 'NX')", ")");
        assertOldValue(scripts, Fault.NONE, WITHOUT_REFRESH, Map.of());
    }

    @Test
    void aClaimGivenUpThatLeavesNoGuardWhereThereWasOneHidesTheFenceItReplaced() throws Exception {
        Scripts scripts = new Scripts();
        scripts.renew = without(scripts.renew, "if ARGV[4] == 'FREE' then", "if ARGV[2] == '0' then");
        assertOldValue(scripts, Fault.NONE, WITHOUT_REFRESH, Map.of(A_CLAIM_IS_GIVEN_UP, 1));
    }

    @Test
    void anAbsenceThatIsNoLongerClaimedUndoesAFence() throws Exception {
        Scripts scripts = new Scripts();
        scripts.absent = without(scripts.absent, "if token ~= ARGV[1] then return { 'refused' } end", "");
        assertOldValue(scripts, Fault.NONE, WITHOUT_REFRESH, Map.of());
    }

    @Test
    void withoutRule5AnOfferOutlivesTheFenceThatShouldStopIt() throws Exception {
        Scripts scripts = new Scripts();
        scripts.offer = without(scripts.offer, "if moment >= tooOldFrom or ", "if ");
        assertOldValue(scripts, Fault.NONE, WITHOUT_REFRESH, Map.of(A_FENCE_PASSES, 1));
    }

    @Test
    void withoutRule6AFillIsAcceptedOnAVanishedGuard() throws Exception {
        Scripts scripts = new Scripts();
        scripts.fill = without(
                scripts.fill,
                "if claim_in(guard) ~= token then return 0 end",
                "if guard and claim_in(guard) ~= token then return 0 end");
        assertOldValue(scripts, Fault.NONE, WITHOUT_REFRESH, Map.of(A_FENCE_PASSES, 2));
    }

    @Test
    void anOfferThatOverwritesIsTheSpecificationsOwnRace() throws Exception {
        Scripts scripts = new Scripts();
        scripts.offer = without(scripts.offer, "redis.call('EXISTS', KEYS[1], KEYS[2]) > 0", "false");
        assertOldValue(scripts, Fault.NONE, WITHOUT_REFRESH, Map.of());
    }

    @Test
    void aRenewalThatClaimsAnewUndoesAFence() throws Exception {
        Scripts scripts = new Scripts();
        scripts.renew = scripts.claim;
        assertOldValue(scripts, Fault.NONE, WITHOUT_REFRESH, Map.of(A_CLAIM_IS_RENEWED, 1));
    }

    @Test
    void aRefreshThatSetsInsteadOfFillingUndoesAFence() throws Exception {
        assertOldValue(
                new Scripts(),
                Fault.SET_INSTEAD_OF_FILL,
                List.of(Participant.REFRESHER_0, Participant.WRITER_0),
                Map.of());
    }

    @Test
    void aRefreshThatReplacesWhateverIsThereUndoesWhatAForeignServiceHasSet() throws Exception {
        Scripts scripts = new Scripts();
        scripts.fill = without(scripts.fill, REPLACES, "");
        assertOldValue(scripts, Fault.NONE, List.of(Participant.REFRESHER_0, Participant.FOREIGN_SETTER), Map.of());
    }

    @Test
    void aRefreshThatReplacesWhatIsGoneUndoesAForeignDeletion() throws Exception {
        Scripts scripts = new Scripts();
        scripts.fill = without(scripts.fill, REPLACES, "if value and value ~= replaced then return 0 end");
        List<Participant> participant = List.of(Participant.REFRESHER_0, Participant.FOREIGN_DELETER);
        assertThat(explore(AS_THEY_ARE, Fault.NONE, List.of(Stored.A_VALUE), participant, Map.of())
                        .story())
                .isEmpty();
        assertThat(explore(scripts, Fault.NONE, List.of(Stored.A_VALUE), participant, Map.of())
                        .story())
                .endsWith("FOREIGN_DELETER DELETE 2", "REFRESHER_0 FILL 1");
    }

    /** So a claim with a deadline further away than any that usher writes may count as a fence. */
    @Test
    void aClaimThatTakesAnothersClaimLeavesNoOldValueEither() throws Exception {
        Scripts scripts = new Scripts();
        scripts.claim = without(scripts.claim, "if holder then", "if false then");
        Map<Chance, Integer> chances = Map.of(A_LEASE_PASSES, 1, A_FENCE_PASSES, 1, THE_VALUE_IS_EVICTED, 1);
        assertThat(explore(scripts, Fault.NONE, WITHOUT_REFRESH, chances).story())
                .isEmpty();
    }

    /** A refresh leaves a standing claim alone only to save a query; it would be safe to take it. */
    @Test
    void aRefreshThatTakesAnothersClaimLeavesNoOldValueEither() throws Exception {
        Scripts scripts = new Scripts();
        scripts.refresh = without(
                scripts.refresh,
                "if claim(KEYS[2]) == ARGV[1] or others(KEYS[2], ARGV[1], tonumber(ARGV[2])) then return { 'unneeded' } end",
                "");
        Map<Chance, Integer> chances = Map.of(A_LEASE_PASSES, 1, A_FENCE_PASSES, 1, THE_VALUE_IS_EVICTED, 1);
        assertThat(explore(scripts, Fault.NONE, WITH_REFRESH, chances).story()).isEmpty();
    }

    private static void assertNoOldValue(List<Participant> participant, Map<Chance, Integer> chances) throws Exception {
        assertNoOldValue(ANYTHING, participant, chances);
    }

    private static void assertNoOldValue(
            List<Stored> starts, List<Participant> participant, Map<Chance, Integer> chances) throws Exception {
        Finding finding = asTheyAre(starts, participant, chances);
        assertThat(finding.story()).isEmpty();
        System.out.printf(
                Locale.ROOT,
                "%,d states, %,d calls of the scripts, no old value; %,d different calls so far%n",
                finding.states(),
                finding.calls(),
                AS_THEY_ARE.known.size());
    }

    /** With all rules, no old value is found within these chances; without one of them, one is found. */
    private static void assertOldValue(
            Scripts scripts, Fault fault, List<Participant> participant, Map<Chance, Integer> chances)
            throws Exception {
        assertThat(asTheyAre(ANYTHING, participant, chances).story()).isEmpty();
        assertThat(explore(scripts, fault, participant, chances).story()).isNotEmpty();
    }

    /** Explores all rules: once for each scenario, although several mutants are compared with it. */
    private static Finding asTheyAre(List<Stored> starts, List<Participant> participant, Map<Chance, Integer> chances)
            throws Exception {
        Exploration exploration = new Exploration(starts, participant, chances);
        Finding known = EXPLORED.get(exploration);
        if (known == null) {
            known = explore(AS_THEY_ARE, Fault.NONE, starts, participant, chances);
            EXPLORED.put(exploration, known);
        }
        return known;
    }

    private static Finding explore(
            Scripts scripts, Fault fault, List<Participant> participant, Map<Chance, Integer> chances)
            throws Exception {
        return explore(scripts, fault, ANYTHING, participant, chances);
    }

    private static Finding explore(
            Scripts scripts,
            Fault fault,
            List<Stored> starts,
            List<Participant> participant,
            Map<Chance, Integer> chances)
            throws Exception {
        return new GuardModel(scripts, fault).explore(starts, participant, chances);
    }

    private static GuardScript without(GuardScript script, String rule, String instead) {
        assertThat(script.source()).contains(rule);
        return GuardScript.of(script.source().replace(rule, instead));
    }

    /**
     * Runs each call on keys of its own, with TTLs so long that the time of the test does not matter. No call runs twice, since the same
     * call from the same state has the same result.
     */
    private static final class Scripts implements GuardModel.Redis {

        private static final String FREE = "FREE";

        private static final long UNIT = Duration.ofMinutes(10).toMillis();

        /** The TTL of a value; the refresh is allowed during all of it. */
        private static final long LIFE = 1000 * UNIT;

        private final Map<Call, Outcome> known = new HashMap<>();
        private GuardScript claim = GuardScript.CLAIM;
        private GuardScript refresh = GuardScript.REFRESH;
        private GuardScript renew = GuardScript.RENEW;
        private GuardScript fill = GuardScript.FILL;
        private GuardScript absent = GuardScript.ABSENT;
        private GuardScript offer = GuardScript.OFFER;

        @Override
        public List<Outcome> run(List<Call> calls) {
            List<Call> unknown = calls.stream()
                    .distinct()
                    .filter(call -> !known.containsKey(call))
                    .toList();
            if (!unknown.isEmpty()) {
                List<Outcome> outcomes = runEach(unknown);
                for (int i = 0; i < unknown.size(); i++) {
                    known.put(unknown.get(i), outcomes.get(i));
                }
            }
            return calls.stream().map(call -> requireNonNull(known.get(call))).toList();
        }

        private List<Outcome> runEach(List<Call> calls) {
            RedisAsyncCommands<String, String> redis = connection.async();
            for (GuardScript script : List.of(claim, refresh, renew, fill, absent, offer, GuardScript.FENCE)) {
                done(redis.scriptLoad(script.source()));
            }
            long now = System.currentTimeMillis();
            done(redis.flushall());
            connection.setAutoFlushCommands(false);
            List<RedisFuture<?>> answers = new ArrayList<>();
            List<RedisFuture<?>> states = new ArrayList<>();
            for (int i = 0; i < calls.size(); i++) {
                String key = keyOf(i);
                restore(redis, key, calls.get(i).from(), now);
                answers.add(send(redis, key, calls.get(i), now));
                states.add(redis.get(key));
                states.add(redis.get(KeySpace.guardOf(key)));
                states.add(redis.pttl(KeySpace.guardOf(key)));
            }
            connection.setAutoFlushCommands(true);
            connection.flushCommands();
            List<Outcome> outcomes = new ArrayList<>();
            for (int i = 0; i < calls.size(); i++) {
                Object answer = wordsIn(done(answers.get(i)), calls.get(i).operation());
                Object value = done(states.get(3 * i));
                Object guard = done(states.get(3 * i + 1));
                Object ttl = done(states.get(3 * i + 2));
                Stored stored = new Stored(
                        value == null ? null : Integer.valueOf((String) value),
                        guardOf((String) guard, (Long) requireNonNull(ttl), now));
                boolean isAbsence = calls.get(i).operation() == GuardModel.Operation.ABSENT;
                outcomes.add(new Outcome(
                        stored,
                        isAbsence ? isConfirmed(answer) : isAccepted(answer),
                        replacedIn(answer),
                        isFree(answer)));
            }
            return outcomes;
        }

        private static String keyOf(int number) {
            while (KEYS.size() <= number) {
                String key = "user:" + users++ + ":profile";
                if (testRedis.serverOf(key).equals(testRedis.servers().get(0))) {
                    KEYS.add(key);
                }
            }
            return KEYS.get(number);
        }

        private static void restore(RedisAsyncCommands<String, String> redis, String key, Stored stored, long now) {
            if (stored.value() != null) {
                var unused = redis.set(key, stored.value().toString(), SetArgs.Builder.px(LIFE));
            }
            Guard guard = stored.guard();
            if (guard != null) {
                String text = guard.holder() == null ? "-" : guard.holder() + " " + (now + guard.lease() * UNIT);
                var unused = redis.set(KeySpace.guardOf(key), text, SetArgs.Builder.px(guard.ttl() * UNIT));
            }
        }

        private RedisFuture<?> send(RedisAsyncCommands<String, String> redis, String key, Call call, long now) {
            String participant = call.participant().name();
            String version = Integer.toString(call.version());
            String lease = Long.toString(GuardModel.LEASE * UNIT);
            String fence = Long.toString(GuardModel.FENCE * UNIT);
            String ttl = Long.toString(LIFE);
            String tooOldFrom = Long.toString(now + (GuardModel.FENCE - call.age()) * UNIT);
            return switch (call.operation()) {
                case CLAIM -> run(redis, claim, key, participant, lease, fence);
                case REFRESH -> run(redis, refresh, key, participant, lease, fence, ttl);
                case RENEW -> run(redis, renew, key, participant, lease, fence);
                case RELEASE -> run(redis, renew, key, participant, "0", fence, call.free() ? FREE : "");
                case ABSENT -> run(redis, absent, key, participant, version, ttl, fence, call.free() ? FREE : "");
                case FILL -> {
                    Integer replaced = call.replaced();
                    yield replaced == null
                            ? run(redis, fill, key, participant, fence, version, ttl)
                            : run(redis, fill, key, participant, fence, version, ttl, replaced.toString());
                }
                case OFFER -> run(redis, offer, key, version, ttl, fence, tooOldFrom);
                case FENCE -> run(redis, GuardScript.FENCE, key, fence);
                case SET -> redis.psetex(key, LIFE, version);
                case DELETE -> redis.del(key);
            };
        }

        private static RedisFuture<List<Object>> run(
                RedisAsyncCommands<String, String> redis, GuardScript script, String key, String... arguments) {
            String[] keys = {key, KeySpace.guardOf(key)};
            return redis.evalsha(script.sha1(), ScriptOutputType.MULTI, keys, arguments);
        }

        /** CLAIM and FILL answer for several users, of which there is one; a claim that was granted over nothing is answered with a number. */
        private static @Nullable Object wordsIn(@Nullable Object answer, GuardModel.Operation operation) {
            if (!(answer instanceof List<?> answers)) {
                return answer;
            }
            if (answers.get(0) instanceof List<?> words) {
                return words;
            }
            return operation == GuardModel.Operation.CLAIM ? List.of("granted", FREE) : answer;
        }

        private static boolean isAccepted(@Nullable Object answer) {
            return answer instanceof List<?> words && List.of("granted", 1L).contains(words.get(0));
        }

        /** Of an absence, which need not be stored. */
        private static boolean isConfirmed(@Nullable Object answer) {
            return answer instanceof List<?> words && !words.contains("refused");
        }

        private static boolean isFree(@Nullable Object answer) {
            return answer instanceof List<?> words && words.contains(FREE);
        }

        private static @Nullable Integer replacedIn(@Nullable Object answer) {
            return answer instanceof List<?> words
                            && words.size() == 2
                            && words.get(0).equals("granted")
                            && !words.get(1).equals(FREE)
                    ? Integer.valueOf((String) words.get(1))
                    : null;
        }

        private static @Nullable Guard guardOf(@Nullable String text, long pttl, long now) {
            if (text == null) {
                return null;
            }
            int ttl = units(pttl);
            if (text.equals("-")) {
                return new Guard(null, 0, ttl);
            }
            String[] claim = text.split(" ");
            return new Guard(Participant.valueOf(claim[0]), Math.max(0, units(Long.parseLong(claim[1]) - now)), ttl);
        }

        private static int units(long millis) {
            return Math.toIntExact(Math.round((double) millis / UNIT));
        }

        private static @Nullable Object done(RedisFuture<?> future) {
            return LettuceFutures.awaitOrCancel(future, 10, TimeUnit.SECONDS);
        }
    }
}
