# The embedding worker as an ECS task: the code that the Lambda function has, and `python -m vector_store.embed`.
#
#   docker build --file lambdas/vector_store/embed.Dockerfile --tag millrace/embed .
#
# BASE is any image with Python >= 3.11; one that already has the packages is not installed into again. Others get the
# dependency group `lambda` of pyproject.toml, at the lock file's versions.
ARG BASE=public.ecr.aws/docker/library/python:3.13-slim
FROM ${BASE}
ARG UV=uv==0.13.9

WORKDIR /millrace
COPY pyproject.toml requirements.lock ./
RUN python3 -c "import aws_lambda_powertools, aws_xray_sdk, boto3" \
    || (python3 -m pip install --no-cache-dir "${UV}" \
        && python3 -m uv pip install --system --no-cache --group lambda --constraints requirements.lock boto3)
COPY lambdas/shared ./shared
COPY lambdas/vector_store ./vector_store

ENV PYTHONPATH=/millrace PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65534
ENTRYPOINT ["python3", "-m", "vector_store.embed"]
