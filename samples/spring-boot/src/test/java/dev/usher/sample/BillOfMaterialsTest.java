package dev.usher.sample;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.xpath.XPathConstants;
import javax.xml.xpath.XPathFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.NodeList;

/** The bill of materials lists every module that is published as a jar; no other module is published. */
class BillOfMaterialsTest {

    private static final Path ROOT = Path.of("..", "..");

    @Test
    void everyPublishedModuleIsListed() {
        List<String> published = modules(false);

        assertThat(published).contains("usher-core", "usher-spring-boot-starter");
        assertThat(texts("usher-bom", "/project/dependencyManagement/dependencies/dependency/artifactId"))
                .containsExactlyInAnyOrderElementsOf(published);
        assertThat(texts("usher-bom", "/project/dependencyManagement/dependencies/dependency/version"))
                .containsOnly("${project.version}");
    }

    @Test
    void noOtherModuleIsHandedToTheRegistry() {
        assertThat(texts(".", "//excludeArtifacts/excludeArtifact")).containsExactlyInAnyOrderElementsOf(modules(true));
    }

    private static List<String> modules(boolean keptBack) {
        return texts(".", "/project/modules/module")
                .filter(module -> keptBack == anyText(module, "/project/properties/maven.deploy.skip[.='true']"))
                .filter(module -> keptBack || !anyText(module, "/project/packaging[.='pom']"))
                .flatMap(module -> texts(module, "/project/artifactId"))
                .toList();
    }

    private static boolean anyText(String module, String path) {
        return texts(module, path).findAny().isPresent();
    }

    private static Stream<String> texts(String module, String path) {
        try {
            NodeList nodes = (NodeList) XPathFactory.newInstance()
                    .newXPath()
                    .evaluate(
                            path,
                            DocumentBuilderFactory.newInstance()
                                    .newDocumentBuilder()
                                    .parse(ROOT.resolve(module)
                                            .resolve("pom.xml")
                                            .toFile()),
                            XPathConstants.NODESET);
            return IntStream.range(0, nodes.getLength())
                    .mapToObj(i -> nodes.item(i).getTextContent());
        } catch (Exception e) {
            throw new AssertionError("cannot read the pom of " + module, e);
        }
    }
}
