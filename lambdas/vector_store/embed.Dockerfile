# The embedding worker as an ECS task: the code that the Lambda function has, and `python -m vector_store.embed`.
# `make images` builds it; so does
#
#   docker build --file lambdas/vector_store/embed.Dockerfile --platform linux/arm64 --tag millrace/embed .
#
# BASE, BUILDER and the secret `pip` are those of the Dockerfile beside this one.
ARG BASE=public.ecr.aws/docker/library/python:3.13-slim
ARG BUILDER=${BASE}

FROM --platform=${BUILDPLATFORM} ${BUILDER} AS packages
ARG TARGETARCH
WORKDIR /millrace
COPY lambdas/vector_store/packages.sh requirements-embed-image.lock ./
RUN --mount=type=secret,id=pip,target=/etc/pip.conf sh packages.sh requirements-embed-image.lock

FROM ${BASE}
WORKDIR /millrace
COPY --from=packages /millrace/packages ./packages
# Whoever runs it may read it, whatever the checkout's modes are.
COPY --chmod=755 lambdas/shared ./shared
COPY --chmod=755 lambdas/vector_store ./vector_store

ENV PYTHONPATH=/millrace:/millrace/packages PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
USER 65534
ENTRYPOINT ["python3", "-m", "vector_store.embed"]
