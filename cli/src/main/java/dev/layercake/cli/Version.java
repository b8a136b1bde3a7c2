package dev.layercake.cli;

import java.util.Objects;
import picocli.CommandLine.IVersionProvider;

/** The version that the build wrote into the manifest of this program's jar. */
final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
        String version = LayercakeCommand.class.getPackage().getImplementationVersion();
        return new String[] {"layercake " + Objects.requireNonNullElse(version, "(not packaged)")};
    }
}
