"""A local stand-in for the hashicorp/aws provider: enough of it to run this project's `terraform/` on a laptop.

The real Terraform core reads the unchanged configuration and talks to this provider through the plugin protocol.

    server.py           the protocol: one method a remote call, errors become diagnostics
    errors.py           what it tells the person
    wire.py             values on the wire
    aws.py              clients and operation models
    schema.py, schema/  what hashicorp/aws accepts (schema_generator.py makes the file)
    naming.py           a Terraform attribute and the member of an AWS request that it becomes
    planning.py         pure: what a plan changes, replaces, refuses
    reading.py          pure: what the state becomes when the service has answered
    resource.py         create, read, update, delete: what all resource types share
    types/              one row or small class for each resource type
    data_sources.py     the data sources, policy_document.py the largest of them

What it promises: a type, argument or block that it does not send is an error at plan time that names it. What it is
not: the real provider. A green run proves the configuration and its wiring, not hashicorp/aws itself.
"""
