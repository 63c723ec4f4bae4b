package dev.usher;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import com.tngtech.archunit.library.GeneralCodingRules;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("architecture")
class ArchitectureTest {

    private static final JavaClasses CORE = new ClassFileImporter()
            .importUrl(UserCaches.class.getProtectionDomain().getCodeSource().getLocation());

    @Test
    void theCoreKnowsNoFramework() {
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.springframework..", "jakarta..")
                .because("plain Java applications use the core as it is")
                .check(CORE);
    }

    @Test
    void redisIsSpokenToInOnePackage() {
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.usher.redis")
                .and()
                .doNotBelongToAnyOf(UserCaches.class)
                .should()
                .dependOnClassesThat()
                .resideInAPackage("io.lettuce..")
                .because(
                        "the engine speaks of claims and fences; Sentinel or Cluster must not change it. The builder of"
                                + " UserCaches takes an address and options of the client library")
                .check(CORE);
    }

    @Test
    void packagesDoNotNeedEachOtherInACircle() {
        slices().matching("dev.(**)").should().beFreeOfCycles().check(CORE);
        noClasses()
                .that()
                .resideInAPackage("dev.usher.redis")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.usher")
                .because("the engine stands on what speaks to Redis")
                .check(CORE);
    }

    @Test
    void theEngineKnowsNothingOfTheFacade() {
        noClasses()
                .that()
                .haveNameNotMatching("dev\\.usher\\.UserCaches.*")
                .should()
                .dependOnClassesThat()
                .haveNameMatching("dev\\.usher\\.UserCaches.*")
                .because("UserCaches makes the engine, and what it makes can be made without it")
                .check(CORE);
    }

    @Test
    void metersAreMadeInOnePlace() {
        noClasses()
                .that()
                .haveNameNotMatching("dev\\.usher\\.(Meters|MicrometerMeters|UserCaches\\$Builder)")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("io.micrometer.core..")
                .because("the engine counts in plain Java, registry or not, and a near hit pays for one counter only")
                .check(CORE);
    }

    @Test
    void contextsAreCapturedInOnePlace() {
        noClasses()
                .that()
                .haveNameNotMatching("dev\\.usher\\.ContextSteps.*")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("io.micrometer.context..")
                .because("context propagation is an optional dependency")
                .check(CORE);
    }

    @Test
    void publicIsAPromise() {
        assertThat(CORE.stream()
                        .filter(type -> type.getPackageName().equals("dev.usher"))
                        .filter(type ->
                                type.isTopLevelClass() && type.getModifiers().contains(JavaModifier.PUBLIC))
                        .map(JavaClass::getSimpleName))
                .as("what is public in dev.usher cannot be taken back: a new name here is a decision")
                .containsExactlyInAnyOrder(
                        "CachePolicy",
                        "CacheStats",
                        "CachesHealth",
                        "Explanation",
                        "Facet",
                        "FacetCodec",
                        "Lookup",
                        "RateLimitedLog",
                        "ReadMark",
                        "UnreadableUsersException",
                        "RevocationListener",
                        "RevocationReceipt",
                        "RevokedUsers",
                        "UserCache",
                        "UserCaches",
                        "UserProfile",
                        "UserProfileCache",
                        "UserSource",
                        "UserStatus",
                        "UserStatusCache",
                        "UserUnavailableException");
    }

    @Test
    void whatGrowsIsAClass() {
        classes()
                .that()
                .resideInAPackage("dev.usher")
                .and()
                .arePublic()
                .and()
                .areRecords()
                .should(haveAtMostComponents(6))
                .because(
                        "each new component of a record breaks its callers: a class with accessors and a builder can grow,"
                                + " and a record is for what is complete")
                .check(CORE);
    }

    private static ArchCondition<JavaClass> haveAtMostComponents(int max) {
        return new ArchCondition<>("have at most " + max + " components") {
            @Override
            public void check(JavaClass record, ConditionEvents events) {
                int components = record.reflect().getRecordComponents().length;
                events.add(new SimpleConditionEvent(
                        record, components <= max, record.getName() + " has " + components + " components"));
            }
        };
    }

    @Test
    void nothingIsPrintedOrThrownWithoutASense() {
        GeneralCodingRules.NO_CLASSES_SHOULD_ACCESS_STANDARD_STREAMS
                .because("a library logs through SLF4J")
                .check(CORE);
        GeneralCodingRules.NO_CLASSES_SHOULD_THROW_GENERIC_EXCEPTIONS
                .because("a caller has to be able to tell what happened")
                .check(CORE);
    }

    @Test
    void nothingIsTimedByAThreadThatNeverEnds() {
        noClasses()
                .should()
                .callMethodWhere(target(nameMatching("orTimeout|completeOnTimeout|delayedExecutor")))
                .because(
                        "that thread of the JDK holds the class loader of an ended application; Deadline has a timer that ends")
                .check(CORE);
    }

    @Test
    void noCodeSleeps() {
        noClasses()
                .should()
                .callMethod(Thread.class, "sleep", long.class)
                .because("a wait ends when what it waits for has happened, or the caches are closed")
                .check(CORE);
    }
}
