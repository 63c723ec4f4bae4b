package dev.usher.server;

import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.library.Architectures.LayeredArchitecture;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** One package per feature, each of which knows only those below it. */
@Tag("architecture")
class PackagesTest {

    private static final String ROOT = "dev.usher.server";

    /** From the top. */
    private static final List<String> LAYERS = List.of("web", "login", "user", "attempt", "token", "problem");

    private static final JavaClasses SERVER = new ClassFileImporter()
            .importUrl(UsherServer.class.getProtectionDomain().getCodeSource().getLocation());

    @Test
    void aPackageKnowsOnlyThoseBelowIt() {
        LayeredArchitecture layers = layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .layer("root")
                .definedBy(ROOT);
        for (String name : LAYERS) {
            layers = layers.layer(name).definedBy(ROOT + "." + name + "..");
        }
        for (int i = 0; i < LAYERS.size(); i++) {
            layers = i == 0
                    ? layers.whereLayer(LAYERS.get(i)).mayNotBeAccessedByAnyLayer()
                    : layers.whereLayer(LAYERS.get(i))
                            .mayOnlyBeAccessedByLayers(LAYERS.subList(0, i).toArray(String[]::new));
        }
        layers.whereLayer("root")
                .mayOnlyBeAccessedByLayers(LAYERS.toArray(String[]::new))
                .because("a feature can then be read, and changed, with only the features below it in mind")
                .check(SERVER);
    }

    @Test
    void packagesAreFreeOfCycles() {
        slices().matching(ROOT + ".(*)..")
                .should()
                .beFreeOfCycles()
                .because("of two packages that import each other, neither can be understood without the other")
                .check(SERVER);
    }

    @Test
    void everyPackageIsALayer() {
        assertThat(SERVER.stream().map(JavaClass::getPackageName).distinct())
                .as("a new package has its place among the layers")
                .containsExactlyInAnyOrderElementsOf(
                        Stream.concat(Stream.of(ROOT), LAYERS.stream().map(name -> ROOT + "." + name))
                                .toList());
    }
}
