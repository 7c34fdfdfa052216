"""What the document cannot say: the tenant that there is."""

import schemathesis


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Requests are about the tenant of the service; one in eight is about one that is not there."""
    if path_parameters and "t" in path_parameters and sum(map(ord, str(path_parameters))) % 8:
        path_parameters["t"] = "emulated"
    return path_parameters
