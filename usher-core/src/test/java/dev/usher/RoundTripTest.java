package dev.usher;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.usher.EntryCodec.Prepared;
import java.math.BigDecimal;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Date;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Stream;
import kotlin.Pair;
import kotlin.collections.IndexedValue;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.module.kotlin.KotlinModule;

/** The values that can be cached and shared by callers, and the log lines about the others. */
@SuppressWarnings({"ArrayRecordComponent", "JavaUtilDate"}) // The check has to find these parts.
class RoundTripTest {

    private static final JsonMapper KOTLIN =
            JsonMapper.builder().addModule(new KotlinModule.Builder().build()).build();

    /** A facet with a value that an application would have. */
    record Row(String name, Facet<Object> facet, Object value, List<String> said) {

        @SuppressWarnings("unchecked")
        private static <V> Row fits(String name, Facet<V> facet, V value) {
            return new Row(name, (Facet<Object>) facet, value, List.of());
        }

        private static <V> Row fits(Class<V> type, V value) {
            return fits(type.getSimpleName(), Facet.of("badges", type), value);
        }

        @SuppressWarnings("unchecked")
        private static <V> Row misfit(Class<? extends V> type, V value, String... said) {
            return new Row(
                    type.getSimpleName(), (Facet<Object>) (Facet<?>) Facet.of("badges", type), value, List.of(said));
        }

        @Override
        public String toString() {
            return name;
        }
    }

    record Badges(int karma, List<String> names) {}

    record AllKinds(
            String text,
            @Nullable Integer number,
            BigDecimal amount,
            UUID uuid,
            Instant at,
            Duration life,
            UserStatus status,
            Optional<String> title,
            List<Badges> list,
            Set<String> set,
            SortedSet<String> sorted,
            Map<String, List<Integer>> map,
            SortedMap<String, String> sortedMap,
            Collection<String> collection,
            Iterable<String> iterable,
            Object anything) {}

    record Nothing(@Nullable List<String> names, @Nullable Map<String, Badges> badges) {}

    record Flat(String name, boolean kind, UserStatus status) {}

    record Tree(String name, List<Tree> children) {}

    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME)
    @JsonSubTypes({@JsonSubTypes.Type(Circle.class), @JsonSubTypes.Type(Square.class)})
    sealed interface Shape {}

    record Circle(int radius) implements Shape {}

    record Square(int side) implements Shape {}

    static final class Immutable {
        private final String name;

        @JsonCreator
        Immutable(@JsonProperty("name") String name) {
            this.name = name;
        }

        public String getName() {
            return name;
        }
    }

    /** A class with private state, which no caller can change. */
    static final class Hidden {
        private final char[] letters;

        @JsonCreator
        Hidden(@JsonProperty("name") String name) {
            this.letters = name.toCharArray();
        }

        public String getName() {
            return new String(letters);
        }
    }

    static class Bean {
        private String name = "";

        public String getName() {
            return name;
        }

        public void setName(String name) {
            this.name = name;
        }
    }

    static class OpenField {
        public String name = "";
    }

    static class Mute {
        private final String name;

        Mute(String name) {
            this.name = name;
        }

        @Override
        public String toString() {
            return name;
        }
    }

    static final class Unmakeable {
        private final String name;

        private Unmakeable(String name, int ignored) {
            this.name = name;
        }

        public String getName() {
            return name;
        }
    }

    interface Named {
        String getName();
    }

    abstract static class Half {
        public abstract String getName();
    }

    record OfInterface(Named named) {}

    record OfArray(int[] numbers) {}

    record OfBytes(byte @Nullable [] bytes) {}

    record OfArrayList(ArrayList<String> names) {}

    record OfMissingArrayList(@Nullable ArrayList<String> names) {}

    record OfHashMap(LinkedHashMap<String, String> names) {}

    record OfEnumMap(EnumMap<UserStatus, String> names) {}

    record OfDate(Date at) {}

    record OfBeans(List<Bean> beans) {}

    record OfNoBeans(List<Bean> beans) {}

    record OfBuilder(StringBuilder text) {}

    record OfAtomic(java.util.concurrent.atomic.AtomicInteger count) {}

    record Copying(List<String> names) {

        Copying {
            names = new ArrayList<>(names);
        }
    }

    record OfNode(JsonNode node) {}

    /** A value whose JSON its own constructor refuses. */
    record Odd(String name) {
        Odd {
            if (name.isEmpty()) {
                throw new IllegalArgumentException("13800000000");
            }
        }

        public String getName() {
            return name.equals("odd") ? "" : name;
        }
    }

    record Nicknamed(String name) {
        public String getNickname() {
            if (name.isEmpty()) {
                throw new IllegalStateException("13800000000");
            }
            return name;
        }
    }

    static Stream<Row> rows() {
        return Stream.of(
                Row.fits(String.class, "text"),
                Row.fits(Integer.class, 7),
                Row.fits(UserStatus.class, UserStatus.ENABLED),
                Row.fits(Flat.class, new Flat("Ann", true, UserStatus.ENABLED)),
                Row.fits(Badges.class, new Badges(7, new ArrayList<>(List.of("early", "kind")))),
                Row.fits(Badges.class, new Badges(7, Arrays.asList("early", "kind"))),
                Row.fits(AllKinds.class, allKinds()),
                Row.fits(Nothing.class, new Nothing(null, null)),
                Row.fits(Tree.class, new Tree("a", List.of(new Tree("b", List.of())))),
                Row.fits(Circle.class, new Circle(1)),
                Row.fits(Shape.class, new Square(1)),
                Row.fits(Immutable.class, new Immutable("Ann")),
                Row.fits(Hidden.class, new Hidden("Ann")),
                Row.fits("List", Facet.of("badges", List.class), new ArrayList<>(List.of("a"))),
                Row.fits("Map", Facet.of("badges", Map.class), new TreeMap<>(Map.of("a", List.of(1)))),
                Row.fits("a data class of Kotlin", kotlin(Pair.class), new Pair<>("a", 1)),
                Row.fits(
                        "a data class of Kotlin with a list",
                        kotlin(IndexedValue.class),
                        new IndexedValue<>(1, new ArrayList<>(List.of("a")))),
                Row.fits("a bean that is copied", Facet.of("badges", Bean.class).copyOnRead(), new Bean()),
                Row.fits(
                        "an array that is copied",
                        Facet.of("badges", OfArray.class).copyOnRead(),
                        new OfArray(new int[] {1})),
                Row.fits(
                        "a list that is copied",
                        Facet.of("badges", OfArrayList.class).copyOnRead(),
                        new OfArrayList(new ArrayList<>(List.of("a")))),
                // Values that cannot be written, or not be read back.
                Row.misfit(Mute.class, new Mute("13800000000"), "Mute cannot be written", "FacetCodec"),
                Row.misfit(
                        Unmakeable.class,
                        new Unmakeable("13800000000", 1),
                        "Unmakeable is written, and cannot be read back",
                        "@JsonCreator"),
                Row.misfit(
                        Named.class,
                        () -> "13800000000",
                        "Named is written, and cannot be read back",
                        "use a record or a class"),
                Row.misfit(
                        Half.class,
                        new Half() {
                            @Override
                            public String getName() {
                                return "13800000000";
                            }
                        },
                        "Half is written, and cannot be read back",
                        "use a record or a class"),
                Row.misfit(
                        OfInterface.class,
                        new OfInterface(() -> "13800000000"),
                        "at dev.usher.RoundTripTest$Named",
                        "use a record or a class"),
                Row.misfit(
                        Pair.class,
                        new Pair<>("13800000000", 1),
                        "kotlin.Pair is written, and cannot be read back",
                        "jackson-module-kotlin",
                        "jsonMapper"),
                Row.misfit(IndexedValue.class, new IndexedValue<>(1, "13800000000"), "jackson-module-kotlin"),
                // Values that one caller could change for all.
                Row.misfit(Bean.class, new Bean(), "Bean is of a class with setters, such as setName", "copyOnRead()"),
                Row.misfit(OpenField.class, new OpenField(), "OpenField.name is not final", "copyOnRead()"),
                Row.misfit(int[].class, new int[] {1}, "an array", "copyOnRead()"),
                Row.misfit(OfArray.class, new OfArray(new int[] {1}), "OfArray.numbers is an array"),
                Row.misfit(OfBytes.class, new OfBytes(null), "OfBytes.bytes is an array"),
                Row.misfit(
                        OfArrayList.class,
                        new OfArrayList(new ArrayList<>()),
                        "OfArrayList.names is a java.util.ArrayList",
                        "List, Set or Map"),
                Row.misfit(
                        OfMissingArrayList.class,
                        new OfMissingArrayList(null),
                        "OfMissingArrayList.names is a java.util.ArrayList"),
                Row.misfit(OfHashMap.class, new OfHashMap(new LinkedHashMap<>()), "java.util.LinkedHashMap"),
                Row.misfit(OfEnumMap.class, new OfEnumMap(new EnumMap<>(UserStatus.class)), "java.util.EnumMap"),
                Row.misfit(OfDate.class, new OfDate(new Date()), "OfDate.at is a java.util.Date"),
                Row.misfit(OfBuilder.class, new OfBuilder(new StringBuilder()), "java.lang.StringBuilder"),
                Row.misfit(
                        OfAtomic.class, new OfAtomic(new java.util.concurrent.atomic.AtomicInteger()), "AtomicInteger"),
                Row.misfit(
                        OfBeans.class, new OfBeans(List.of(new Bean())), "OfBeans.beans[] is of a class with setters"),
                Row.misfit(OfNoBeans.class, new OfNoBeans(List.of()), "OfNoBeans.beans[] is of a class with setters"),
                Row.misfit(Copying.class, new Copying(List.of("a")), "Copying.names is a java.util.ArrayList"),
                Row.misfit(
                        OfNode.class,
                        new OfNode(JsonMapper.shared().createObjectNode().put("a", 1)),
                        "OfNode.node is of a class with setters"),
                Row.misfit(
                        ObjectNode.class,
                        JsonMapper.shared().createObjectNode(),
                        "ObjectNode is of a class with setters"));
    }

    private static <V> Facet<V> kotlin(Class<V> type) {
        return new Facet<>("badges", FacetCodec.json(type, KOTLIN), CachePolicy.of(Duration.ofMinutes(1)));
    }

    private static AllKinds allKinds() {
        return new AllKinds(
                "text",
                null,
                BigDecimal.ONE,
                UUID.randomUUID(),
                Instant.now(),
                Duration.ofSeconds(1),
                UserStatus.ENABLED,
                Optional.of("sage"),
                new ArrayList<>(List.of(new Badges(1, List.of()))),
                Set.of("a"),
                new TreeSet<>(Set.of("a")),
                Map.of("a", List.of(1)),
                new TreeMap<>(Map.of("a", "b")),
                new ArrayList<>(List.of("a")),
                new ArrayList<>(List.of("a")),
                Map.of("a", new ArrayList<>(List.of(Map.of("b", 1)))));
    }

    @ParameterizedTest
    @MethodSource("rows")
    void aValueIsCachedOrItsFacetSaysOnceWhyNot(Row row) {
        EntryCodec<Object> codec = new EntryCodec<>(row.facet);

        List<String> lines = LogLines.of("dev.usher", () -> {
            for (int i = 0; i < 100; i++) {
                Prepared<Object> prepared = codec.prepare("user:42:badges", row.value);
                assertThat(prepared.bytes() == null).isEqualTo(!row.said.isEmpty());
                if (row.value instanceof Record && !(row.value instanceof OfArray) && row.said.isEmpty()) {
                    assertThat(codec.handOut(prepared.entry())).contains(row.value);
                }
            }
        });

        if (row.said.isEmpty()) {
            assertThat(lines).isEmpty();
            assertThat(codec.misfit()).isNull();
        } else {
            assertThat(lines)
                    .singleElement()
                    .satisfies(line -> assertThat(line)
                            .startsWith("Values of the facet 'badges' are not cached, and each call asks the source: ")
                            .contains(row.said)
                            .doesNotContain("13800000000"));
            assertThat(codec.misfit()).contains(row.said);
        }
    }

    /** Callers share the copy that was read back, if the source could still hold a part of the value. */
    @Test
    void anObjectThatTheSourceHoldsIsNotShared() throws Exception {
        EntryCodec<Badges> codec = new EntryCodec<>(Facet.of("badges", Badges.class));
        for (int i = 0; i < 3; i++) {
            List<String> names = new ArrayList<>(List.of("early"));
            Badges shared = codec.prepare("key", new Badges(7, names)).entry().value();
            names.add("admin");
            assertThat(shared).isEqualTo(new Badges(7, List.of("early")));
        }
        UserProfile ann = new UserProfile("13800000000", "Ann", "", true, "", "");
        assertThat(new EntryCodec<>(UserProfile.FACET)
                        .prepare("key", ann)
                        .entry()
                        .value())
                .as("a value of the specification is not read for nothing")
                .isSameAs(ann);
    }

    @Test
    void aValueThatFailsIsNotStoredAndTheOthersAre() {
        EntryCodec<Odd> codec = new EntryCodec<>(Facet.of("odd", Odd.class));
        assertThat(codec.prepare("key", new Odd("even")).bytes()).isNotNull();

        List<String> lines = LogLines.of("dev.usher", () -> {
            for (int i = 0; i < 100; i++) {
                assertThat(codec.prepare("user:7:odd", new Odd("odd")).bytes()).isNull();
                assertThat(codec.prepare("user:8:odd", new Odd("even")).bytes()).isNotNull();
            }
        });

        assertThat(codec.isUnfit()).isFalse();
        assertThat(lines)
                .singleElement()
                .asString()
                .startsWith("The value of user:7:odd is not cached")
                .doesNotContain("13800000000");
    }

    /** Otherwise one odd first value would keep all others of the facet out of the cache. */
    @Test
    void aFacetWhoseFirstValueFailsIsCachedFromTheFirstThatDoesNot() {
        EntryCodec<Nicknamed> codec = new EntryCodec<>(Facet.of("named", Nicknamed.class));

        List<String> lines = LogLines.of("dev.usher", () -> {
            assertThat(codec.prepare("key", new Nicknamed("")).bytes()).isNull();
            assertThat(codec.isUnfit()).isTrue();
            assertThat(codec.prepare("key", new Nicknamed("Ann")).bytes()).isNotNull();
            assertThat(codec.isUnfit()).isFalse();
        });

        assertThat(lines).hasSize(2);
        assertThat(lines.get(1)).isEqualTo("Values of the facet 'named' are cached from now on");
    }

    /** A type that allows any class is checked with each value. */
    @Test
    void ofATypeThatAllowsAnyClassEachValueIsChecked() {
        record Anything(@Nullable Object content) {}
        FacetCodec<Anything> byReference = new FacetCodec<>() {
            @Override
            public byte[] encode(Anything value) {
                return (value.content() instanceof int[] ? "array" : "text").getBytes(UTF_8);
            }

            @Override
            public Anything decode(byte[] bytes) {
                return new Anything(new String(bytes, UTF_8).equals("array") ? new int[] {1} : "text");
            }
        };
        EntryCodec<Anything> codec =
                new EntryCodec<>(new Facet<>("any", byReference, CachePolicy.of(Duration.ofMinutes(1))));
        assertThat(codec.prepare("key", new Anything("text")).bytes()).isNotNull();
        assertThat(codec.prepare("key", new Anything(new int[] {1})).bytes()).isNull();
        assertThat(codec.isUnfit()).isFalse();
    }

    /** A rule of the specification: services without usher share the entries. */
    @Test
    void noMapperOfAnApplicationChangesTheSpecificationsJson() {
        JsonMapper strange = JsonMapper.builder()
                .propertyNamingStrategy(PropertyNamingStrategies.UPPER_SNAKE_CASE)
                .enable(tools.jackson.databind.SerializationFeature.INDENT_OUTPUT)
                .enable(tools.jackson.databind.SerializationFeature.WRAP_ROOT_VALUE)
                .build();
        UserProfile ann = new UserProfile("13800000000", "Ann", "", true, "", "");

        assertThat(UserProfile.FACET.writtenBy(strange).codec().encode(ann))
                .isEqualTo(UserProfile.FACET.codec().encode(ann));
        assertThat(Facet.of("card", UserProfile.class)
                        .writtenBy(strange)
                        .codec()
                        .encode(ann))
                .isEqualTo(UserProfile.FACET.codec().encode(ann));
        assertThat(UserStatus.FACET.writtenBy(strange).codec().encode(UserStatus.ENABLED))
                .isEqualTo("1".getBytes(UTF_8));
        assertThat(Facet.of("badges", Badges.class).writtenBy(strange).codec().encode(new Badges(7, List.of())))
                .asString()
                .contains("\"KARMA\" : 7");
        assertThat(kotlin(Badges.class).writtenBy(strange).codec().encode(new Badges(7, List.of())))
                .as("a mapper that was named for the facet stays")
                .asString()
                .isEqualTo("{\"karma\":7,\"names\":[]}");
    }

    @Test
    void anotherVersionsFieldsAreIgnoredWhateverTheMapper() {
        JsonMapper picky = JsonMapper.builder()
                .enable(tools.jackson.databind.DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .build();
        assertThat(FacetCodec.json(Badges.class, picky)
                        .decode("{\"karma\":7,\"names\":[],\"title\":\"sage\"}".getBytes(UTF_8)))
                .isEqualTo(new Badges(7, List.of()));
    }
}
